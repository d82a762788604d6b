"""A .tflite file is unpacked, changed and packed again."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import interpreter
from ai_edge_litert import schema_py_generated as schema
from conftest import Bundle

from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite, quantization


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
    buffers = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength())]
    constants = [array for array in buffers if isinstance(array, np.ndarray)]
    assert constants
    for array in constants:
        offset = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        assert offset % 16 == 0


def test_an_added_operator_runs(cnn: Bundle) -> None:
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


def test_unused_tensors_and_buffers_are_removed(cnn: Bundle) -> None:
    data = (cnn.folder / "float.tflite").read_bytes()
    rewrite = Rewrite(data)
    rewrite.add_tensor("left over", [1000], "float32", values=np.ones(1000, np.float32))
    rewrite.graph.tensors.insert(0, rewrite.graph.tensors[-1])  # every index moves
    moved = [
        [index + 1 for index in indices]
        for indices in (rewrite.graph.inputs, rewrite.graph.outputs)
    ]
    rewrite.graph.inputs, rewrite.graph.outputs = moved
    for operator in rewrite.graph.operators:
        operator.inputs = [index + (index >= 0) for index in operator.inputs]
        operator.outputs = [index + 1 for index in operator.outputs]
    rewrite.drop_unused()
    again = rewrite.to_bytes()
    assert len(again) < len(data) + 1000

    def tensors(content: bytes) -> list[tuple[str, bytes]]:
        return [(t.name, t.data) for t in read_tflite(content).main.tensors]

    assert tensors(again) == tensors(data)
    assert read_tflite(again).main.operators == read_tflite(data).main.operators


def test_a_replaced_input_is_replaced_in_the_signature_too(cnn: Bundle) -> None:
    rewrite = Rewrite((cnn.folder / "float.tflite").read_bytes())
    (old,) = map(int, rewrite.graph.inputs)
    signature, entry = schema.SignatureDefT(), schema.TensorMapT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    entry.name, entry.tensorIndex = b"image", old
    signature.inputs, signature.outputs = [entry], []
    rewrite.model.signatureDefs = [signature]
    new = rewrite.add_tensor("wide", rewrite.graph.tensors[old].shape, "float32")
    rewrite.replace_input(old, new)
    assert (list(rewrite.graph.inputs), entry.tensorIndex) == ([new], new)
