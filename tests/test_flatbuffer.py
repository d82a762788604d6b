"""Parsing .tflite files without TensorFlow, compared with LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from conftest import Bundle

from edgepack.core.errors import ConversionError, ModelError
from edgepack.quantization.verify import float_tensors, require_full_integer
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.sparsity import weight_sparsity


def test_tensors_are_read_as_litert_reads_them(cnn: Bundle) -> None:
    for name in ("float.tflite", "int8.tflite"):
        data = (cnn.folder / name).read_bytes()
        graph = read_tflite(data).main
        interpreter = Interpreter(model_content=data)
        interpreter.allocate_tensors()
        details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        for index, tensor in enumerate(graph.tensors):
            detail = details[index]
            assert tensor.name == detail["name"]
            assert tensor.shape == tuple(detail["shape"])
            assert np.dtype(tensor.dtype) == detail["dtype"]
            scales = detail["quantization_parameters"]["scales"]
            assert (tensor.quant.scale if tensor.quant else ()) == tuple(scales)
            zeros = detail["quantization_parameters"]["zero_points"]
            assert (tensor.quant.zero_point if tensor.quant else ()) == tuple(zeros)
            if tensor.is_constant:
                assert tensor.data == interpreter.get_tensor(index).tobytes()
        assert graph.inputs == (interpreter.get_input_details()[0]["index"],)
        assert graph.outputs == (interpreter.get_output_details()[0]["index"],)


def test_operators_are_named_in_order(cnn: Bundle) -> None:
    graph = read_tflite((cnn.folder / "int8.tflite").read_bytes()).main
    names = [operator.name for operator in graph.operators]
    assert names == ["CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]


def test_a_full_integer_file_is_verified_and_a_float_file_is_not(cnn: Bundle) -> None:
    int8 = read_tflite((cnn.folder / "int8.tflite").read_bytes())
    assert float_tensors(int8) == []
    source = read_tflite((cnn.folder / "float.tflite").read_bytes())
    require_full_integer(int8, source)
    with pytest.raises(
        ConversionError, match=r"tensors are left in float: .*float32, input of CONV_2D"
    ):
        require_full_integer(source, source)


def test_weights_of_every_layer_are_measured(cnn: Bundle) -> None:
    sparsity = weight_sparsity(read_tflite((cnn.folder / "int8.tflite").read_bytes()))
    assert list(sparsity.layers) == ["conv2d", "depthwise_conv2d", "dense"]
    assert 0 <= sparsity.overall < 0.2


@pytest.mark.parametrize("data", [b"", b"hello", b"\0\0\0\0TFL3", b"\x89HDF\r\n\x1a\n"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"\.tflite file"):
        read_tflite(data)


def test_a_damaged_file_is_a_model_error_and_nothing_else(cnn: Bundle) -> None:
    whole = (cnn.folder / "int8.tflite").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        broken = bytearray(whole[: random.integers(8, len(whole) + 1)])
        for _ in range(random.integers(0, 8)):
            broken[random.integers(len(broken))] = random.integers(256)
        try:
            read_tflite(bytes(broken))
        except ModelError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_a_keras_model_is_refused_with_a_hint_at_export(start: bytes) -> None:
    cure = "the identifier TFL3 is missing; if it is a Keras model, convert it with edgepack export"
    with pytest.raises(ModelError, match=cure):
        read_tflite(start + bytes(100))
