"""Write a small model in every scheme, and as converted by TensorFlow, to a folder.

Run as a script, in a process of its own: the tests' process does not import TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from quantizations import QUANTIZATIONS
from tensorflow.lite.python.optimize.calibrator import Calibrator

from edgepack.quantization.int4 import to_int4
from edgepack.quantization.scheme import quantize_constants, quantize_file

SAMPLES = 40


def build() -> tf_keras.Model:
    """Build a CNN with depthwise, pointwise and dense layers, of 1,024 weights or more."""
    layers = tf_keras.layers
    image = layers.Input((8, 8, 1), name="image")
    first = layers.Conv2D(128, 3, activation="relu", name="first")(image)
    deep = layers.DepthwiseConv2D(3, padding="same", name="deep")(first)
    sides = [layers.Conv2D(16, 1, name=f"side_{side}")(deep) for side in "ab"]
    joined = layers.ReLU(name="joined")(layers.Add(name="add")(sides))
    pooled = layers.Flatten()(layers.AveragePooling2D(3, name="pool")(joined))
    hidden = layers.Dense(64, activation="relu", name="hidden")(pooled)
    spread = tf_keras.initializers.VarianceScaling(30)  # so that scores differ between images
    scores = layers.Dense(3, activation="softmax", kernel_initializer=spread, name="scores")
    return tf_keras.Model(image, scores(hidden))


def main(folder: Path) -> None:
    """Write the files, named after their settings; the converter's have the prefix ``plain``."""
    tf_keras.utils.set_random_seed(0)
    model = build()  # which owns the variables: without it, they are gone
    function = tf.function(model).get_concrete_function(tf.TensorSpec((1, 8, 8, 1)))
    images = np.random.default_rng(0).normal(scale=30, size=(SAMPLES, 8, 8, 1)).astype(np.float32)
    np.save(folder / "images.npy", images)

    def write(name: str, data: bytes) -> bytes:
        (folder / f"{name}.tflite").write_bytes(data)
        return data

    def converter() -> tf.lite.TFLiteConverter:
        return tf.lite.TFLiteConverter.from_concrete_functions([function])

    def feed() -> Iterator[list[np.ndarray]]:
        yield from ([image[None]] for image in images)

    float_tflite = write("float", converter().convert())
    plain = converter()
    plain.optimizations = [tf.lite.Optimize.DEFAULT]
    plain._experimental_disable_per_channel_quantization_for_dense_layers = True
    write("plain-dynamic-range", plain.convert())
    plain.target_spec.supported_types = [tf.float16]
    write("plain-float16", plain.convert())
    write(
        "plain-int16",
        Calibrator(float_tflite).calibrate_and_quantize(
            feed,
            *(tf.int16, tf.int16, False, tf.int16, tf.int64),
        ),
    )

    calibrated = Calibrator(float_tflite).calibrate(feed)
    for name, settings in QUANTIZATIONS.items():
        if settings.needs_ranges:
            write(name, quantize_file(calibrated, settings))
        else:
            write(name, quantize_constants(float_tflite, settings))
    int8 = (folder / "int8.tflite").read_bytes()
    write(
        "int4-in-bytes",
        to_int4(int8, float_tflite, lambda _: True, per_tensor_dense=True, packed=False),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
