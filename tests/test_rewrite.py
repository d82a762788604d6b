"""A .tflite file is taken apart, changed and put together again."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import interpreter
from ai_edge_litert import schema_py_generated as schema
from conftest import Bundle

from edgepack.flatbuffer import read_tflite
from edgepack.rewrite import Rewrite, quantization


def test_an_unchanged_file_keeps_its_content(cnn: Bundle) -> None:
    for name in ("float.tflite", "int8.tflite"):
        data = (cnn.folder / name).read_bytes()
        again = Rewrite(data).to_bytes()
        assert read_tflite(again) == read_tflite(data)
        assert Rewrite(again).to_bytes() == again


def test_every_constant_lies_at_a_multiple_of_16_bytes(cnn: Bundle) -> None:
    data = Rewrite((cnn.folder / "int8.tflite").read_bytes()).to_bytes()
    whole = np.frombuffer(data, np.uint8)
    model = schema.Model.GetRootAs(data, 0)
    found = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength())]
    constants = [array for array in found if isinstance(array, np.ndarray)]
    assert constants
    for array in constants:
        offset = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        assert offset % 16 == 0


def test_an_operator_is_added_that_runs(cnn: Bundle) -> None:
    rewrite = Rewrite((cnn.folder / "int8.tflite").read_bytes())
    (last,) = rewrite.graph.outputs
    shape = rewrite.graph.tensors[last].shape
    wider = rewrite.add_tensor("wide", shape, "int16", quantization=quantization([2**-15], [0]))
    rewrite.graph.operators.append(rewrite.operator("QUANTIZE", 2, [last], [wider]))
    rewrite.graph.outputs = [wider]
    data = rewrite.to_bytes()
    running = interpreter.Interpreter(model_content=data)
    running.allocate_tensors()
    (details,) = running.get_output_details()
    assert details["dtype"] == np.int16
    assert read_tflite(data).main.operators[-1].name == "QUANTIZE"


def test_what_nothing_uses_is_taken_out(cnn: Bundle) -> None:
    data = (cnn.folder / "float.tflite").read_bytes()
    rewrite = Rewrite(data)
    rewrite.add_tensor("left over", [1000], "float32", values=np.ones(1000, np.float32))
    assert len(rewrite.to_bytes()) > len(data)
    rewrite.drop_unused()
    again = rewrite.to_bytes()
    assert len(again) < len(data) + 1000
    assert [t.name for t in read_tflite(again).main.tensors] == [
        t.name for t in read_tflite(data).main.tensors
    ]
    runner = interpreter.Interpreter(model_content=again).get_signature_runner()
    assert list(runner.get_input_details()) == ["image"]


def test_another_input_is_the_signatures_too(cnn: Bundle) -> None:
    rewrite = Rewrite((cnn.folder / "float.tflite").read_bytes())
    (old,) = rewrite.graph.inputs
    new = rewrite.add_tensor("wide", rewrite.graph.tensors[old].shape, "float32")
    rewrite.replace_input(int(old), new)
    assert [named.tensorIndex for named in rewrite.model.signatureDefs[0].inputs] == [new]
