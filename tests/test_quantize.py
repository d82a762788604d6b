"""Quantization in two steps has the same outputs as TFLiteConverter, which does it in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from conftest import Bundle, export, python

PLAIN = """
import sys
import numpy as np
import tensorflow as tf
import {keras} as keras
model = keras.models.load_model(sys.argv[1], compile=False)
samples = np.load(sys.argv[2])["x"].astype(np.float32)
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
open(sys.argv[3], "wb").write(converter.convert())
"""


def plain(keras: str, model: Path, data: Path, tmp_path: Path) -> bytes:
    file = tmp_path / "plain.tflite"
    done = python("-c", PLAIN.format(keras=keras), model, data, file)
    assert done.returncode == 0, done.stderr
    return file.read_bytes()


def outputs(model: bytes, inputs: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    input_details = interpreter.get_input_details()[0]
    output_details = interpreter.get_output_details()[0]
    results = []
    for sample in inputs:
        interpreter.set_tensor(input_details["index"], sample[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(output_details["index"])[0])
    return np.array(results)


def assert_equal_to_plain(exported: Bundle, reference: bytes) -> None:
    ours = (exported.folder / "int8.tflite").read_bytes()
    shape = Interpreter(model_content=ours).get_input_details()[0]["shape"][1:]
    inputs = np.random.default_rng(0).integers(-128, 128, (50, *shape), np.int8)
    error = np.abs(outputs(ours, inputs).astype(int) - outputs(reference, inputs))
    # Ranges are measured in batches, so the last bit of a float, and thus a scale, may differ.
    assert error.max() <= 1
    assert (error > 0).mean() < 0.02


@pytest.mark.parametrize(
    ("keras", "name"),
    [("tf_keras", "cnn.h5"), ("tf_keras", "cnn_saved_model"), ("keras", "cnn3.keras")],
)
def test_int8_outputs_equal_the_converters(
    models: Path, tmp_path: Path, keras: str, name: str
) -> None:
    data = models / "cnn.npz"
    exported = export(tmp_path / "out", models / name, "--representative", data)
    assert_equal_to_plain(exported, plain(keras, models / name, data, tmp_path))
