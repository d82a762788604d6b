"""Damaged .tflite files are refused with a message, in time proportional to their size."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import ROOT, Bundle, python
from tflite_micro.python.tflite_micro import runtime

from edgepack.core.errors import ModelError
from edgepack.runtimes import litert
from edgepack.runtimes.failing_operator import first_operators
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

sys.path.append(str(ROOT / "scripts"))
import mutants


def test_mutants_are_refused_or_read_and_nothing_else(cnn: Bundle) -> None:
    whole = (cnn.folder / "int8.tflite").read_bytes()
    refusals = []
    for number in range(120):
        data = mutants.mutant(whole, number, seed=0)
        started = time.monotonic()
        try:
            graph = read_tflite(data).main
            layer_names(graph)
            first_operators(data, len(graph.operators) // 2)
        except ModelError as error:
            refusals.append(str(error))
        assert time.monotonic() - started < 1
    assert 60 < len(refusals) < 120
    assert all(map(str.isprintable, refusals))


def set_attribute(path: str, value: Any) -> Callable[[Any], None]:
    """Return a change to an attribute of a SubGraphT, by its path, such as ``tensors.0.shape``."""

    def change(graph: Any) -> None:
        *parents, last = path.split(".")
        for name in parents:
            graph = graph[int(name)] if name.lstrip("-").isdigit() else getattr(graph, name)
        setattr(graph, last, value)

    return change


def set_quantization(**fields: float) -> Callable[[Any], None]:
    """Return a change of the quantization of the first convolution's weights."""

    def change(graph: Any) -> None:
        quantization = graph.tensors[graph.operators[0].inputs[1]].quantization
        for name, value in fields.items():
            former = getattr(quantization, name)
            is_one = np.isscalar(former)
            setattr(quantization, name, value if is_one else np.full_like(former, value))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_attribute("operators.0.inputs", [0, 99, 2]), "operator 0 refers to tensor 99 of"),
        (set_attribute("operators.0.outputs", [-1]), "operator 0 refers to tensor -1 of"),
        (set_attribute("operators.0.opcodeIndex", 50), "operator 0 refers to operator code 50 of"),
        (
            set_attribute("operators.0.inputs", [10, 1, 2]),
            "operator 0 reads tensor 10, which has no value yet",
        ),
        (
            set_attribute("operators.1.outputs", [0]),
            "operator 1 writes tensor 0, which already has",
        ),
        (set_attribute("inputs", [-1]), "the graph refers to tensor -1 of"),
        (set_attribute("outputs", [1000]), "the graph refers to tensor 1,000 of"),
        (set_attribute("tensors.0.buffer", 10**6), "tensor 0 refers to buffer 1,000,000 of"),
        (set_attribute("tensors.0.shape", [1, -8, 8, 1]), "tensor 0 has an impossible shape"),
        (set_attribute("tensors.0.shape", [1] * 40), "tensor 0 has 40 dimensions, but at most 32"),
        (set_attribute("tensors.0.shape", [2**31 - 1] * 3), "tensor 0 is larger than any memory"),
        (set_attribute("tensors.1.shape", [3, 3]), "tensor 1 has 8 bytes, but its shape needs 36"),
        (set_attribute("tensors.0.type", 100), "tensor 0 has a type that does not exist"),
        (set_attribute("tensors.0.name", b"\xff\xfe"), "a name is not UTF-8"),
        *(
            (
                set_attribute("tensors.0.quantization.scale", np.array([scale], np.float32)),
                "tensor 0 has scales that are not positive",
            )
            for scale in (np.nan, np.inf, -1, 0)
        ),
        (
            set_attribute("tensors.0.quantization.zeroPoint", [200]),
            "tensor 0 has a zero point outside",
        ),
        (
            set_attribute("tensors.0.quantization.zeroPoint", [0, 0]),
            "tensor 0 has 1 scales and 2 zero",
        ),
        (set_quantization(quantizedDimension=4), "along an axis that it does not"),
    ],
)
def test_inconsistent_files_are_refused_with_a_message(
    cnn: Bundle, change: Callable[[Any], None], message: str
) -> None:
    rewrite = Rewrite((cnn.folder / "int8.tflite").read_bytes())
    change(rewrite.graph)
    data = rewrite.to_bytes()
    for read in (read_tflite, Rewrite):
        with pytest.raises(ModelError, match=f"^(damaged|invalid) .tflite file: .*{message}"):
            read(data)


def run_on_tflm(data: bytes) -> None:
    """Run a model on zeros, without edgepack, which would refuse it."""
    interpreter = runtime.Interpreter.from_bytes(data)
    interpreter.set_input(np.zeros((1, 8, 8, 1), np.int8), 0)
    interpreter.invoke()


def without_options(graph: Any) -> None:
    graph.operators[0].builtinOptions, graph.operators[0].builtinOptionsType = None, 0


@pytest.mark.parametrize(
    "change",
    [
        set_attribute("operators.0.builtinOptions.strideW", 0),
        set_attribute("operators.0.builtinOptions.fusedActivationFunction", 99),
        without_options,
        set_attribute("tensors.0.name", b"\xff\xfe"),
        set_quantization(zeroPoint=300),
        set_quantization(scale=-1.0),
    ],
)
def test_a_file_that_an_interpreter_runs_is_not_called_damaged(
    cnn: Bundle, change: Callable[[Any], None]
) -> None:
    rewrite = Rewrite((cnn.folder / "int8.tflite").read_bytes())
    change(rewrite.graph)
    data = rewrite.to_bytes()
    run_on_tflm(data)
    with pytest.raises(ModelError, match=r"^invalid .tflite file: "):
        read_tflite(data)


def test_an_axis_that_one_scale_does_not_need_is_not_damage(cnn: Bundle) -> None:
    """TensorFlow Lite Micro runs the file, LiteRT refuses it."""
    rewrite = Rewrite((cnn.folder / "int8.tflite").read_bytes())
    rewrite.graph.tensors[0].quantization.quantizedDimension = 7
    data = rewrite.to_bytes()
    assert read_tflite(data).main.operators
    run_on_tflm(data)
    with pytest.raises(ValueError, match="quantized_dimension must be in range"):
        litert.Interpreter(data)


def test_options_that_lead_out_of_the_file_are_refused(cnn: Bundle) -> None:
    data = bytearray((cnn.folder / "int8.tflite").read_bytes())
    table = schema.Model.GetRootAs(data, 0).Subgraphs(0).Operators(0)._tab
    position = table.Pos + table.Offset(12)  # of the offset to the options
    data[position : position + 4] = (1 << 20).to_bytes(4, "little")
    with pytest.raises(ModelError, match=r"^damaged .tflite file: an offset leads out of the file"):
        read_tflite(bytes(data))


def test_unusual_but_valid_files_are_read(cnn: Bundle) -> None:
    def with_control_characters(rewrite: Rewrite) -> None:
        rewrite.graph.tensors[0].name = b"a\nname\x1b[31m"

    def with_empty_bias(rewrite: Rewrite) -> None:
        rewrite.add_tensor("empty", [0], "int32")
        dense = next(op for op in rewrite.graph.operators if rewrite.name(op) == "FULLY_CONNECTED")
        dense.inputs = [*dense.inputs[:2], len(rewrite.graph.tensors) - 1]

    for change in (with_control_characters, with_empty_bias):
        rewrite = Rewrite((cnn.folder / "int8.tflite").read_bytes())
        change(rewrite)
        graph = read_tflite(rewrite.to_bytes()).main
        assert all(tensor.name.isprintable() for tensor in graph.tensors)


def shared_tensors(count: int) -> bytes:
    """Write a small file that seems to hold ``count`` tensors with as many dimensions."""
    builder = flatbuffers.Builder(1024)
    shape = builder.CreateNumpyVector(np.ones(count, np.int32))
    schema.TensorStart(builder)
    schema.TensorAddShape(builder, shape)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.BufferStart(builder)
    buffer = schema.BufferEnd(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_tables_that_share_all_their_bytes_are_refused_quickly() -> None:
    assert read_tflite(shared_tensors(4)).main.tensors[3].shape == (1, 1, 1, 1)
    started = time.monotonic()
    for count in (30, 100_000):
        with pytest.raises(ModelError, match=r"its tables overlap|has 100,000 dimensions"):
            read_tflite(shared_tensors(count))
    assert time.monotonic() - started < 2


def test_the_script_counts_outcomes_of_mutants(cnn: Bundle) -> None:
    done = python(
        ROOT / "scripts" / "mutants.py",
        cnn.folder / "int8.tflite",
        "--count",
        24,
        "--jobs",
        2,
        "--time-limit",
        60,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    counts = dict(reversed(line.split(maxsplit=1)) for line in done.stdout.splitlines())
    assert counts.pop("in all") == "24"
    assert sum(map(int, counts.values())) == 24
    assert "refused: damaged or invalid" in counts
