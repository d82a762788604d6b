"""Delegates run a graph or parts of it; checks note which operators they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MLPERF, Bundle, needs_tflite_runtime, python

from edgepack.checks.delegation import gpu_takes_all, xnnpack_takes_all
from edgepack.checks.evidence import Evidence
from edgepack.devices.delegates import delegate_graph
from edgepack.devices.delegates.gpu import gpu_delegation
from edgepack.devices.target import load_target
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Graph, Model, Operator, QuantParams, Tensor
from edgepack.tflite.parser import read_tflite

IMAGE = (1, 8, 8, 4)
OPTIONS = {"SOFTMAX": {"beta": 2.0}, "STRIDED_SLICE": {"shrink_axis_mask": 1}}
PHONE = load_target("android-arm64")
BOARD = load_target("raspberry-pi-4")


def tensor(kind: str, shape: tuple[int, ...] = IMAGE, *, constant: bool = False) -> Tensor:
    """Make a tensor; ``int8*`` has one scale per channel."""
    channels = shape[-1] if kind.endswith("*") else 1
    kind = kind.removesuffix("*")
    quant = QuantParams(
        scale=(0.5,) * channels, zero_point=(0,) * channels, axis=3 if channels > 1 else None
    )
    return Tensor(
        name="",
        shape=shape,
        dtype=kind,
        quant=quant if kind == "int8" else None,
        data=b"\0" if constant else b"",
    )


def constant(kind: str, *shape: int) -> Tensor:
    return tensor(kind, shape, constant=True)


def model(*chain: tuple[str, int, list[Tensor], Tensor]) -> Model:
    """Chain operators (name, version, other inputs, output) after an image input.

    The image has the dtype of the first output, float32 if that is bool.
    """
    tensors = [tensor(chain[0][3].dtype if chain[0][3].dtype != "bool" else "float32")]
    operators = []
    for name, version, inputs, output in chain:
        indices = (len(tensors) - 1, *range(len(tensors), len(tensors) + len(inputs)))
        tensors += [*inputs, output]
        operators.append(
            Operator(
                name=name,
                version=version,
                inputs=indices,
                outputs=(len(tensors) - 1,),
                options=OPTIONS.get(name, {}),
            )
        )
    graph = Graph(
        tensors=tuple(tensors),
        operators=tuple(operators),
        inputs=(0, *(i for i, each in enumerate(tensors) if each.name == "input")),
        outputs=(len(tensors) - 1,),
    )
    return Model(subgraphs=(graph,))


FLOAT, INT8 = tensor("float32"), tensor("int8")
WEIGHTS = [constant("int8", 4, 3, 3, 4), constant("int32", 4)]


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (("CONV_2D", 3, WEIGHTS, INT8), None),
        (("CONV_2D", 7, WEIGHTS, INT8), "version 7, supported up to 6"),
        (("CONV_2D", 3, [constant("int4", 4, 3, 3, 4)], INT8), "int4 constants"),
        (("CONV_2D", 3, WEIGHTS, tensor("int16")), "int16 activations"),
        (("RELU", 1, [], tensor("int8*")), "without a single scale"),
        (("RELU", 1, [], tensor("float32", (1, 2, 3, 4, 5))), "tensors with 5 dimensions"),
        (("RELU", 1, [], tensor("float32", (0, 8, 8, 4))), "dynamic sizes"),
        (("SHAPE", 1, [], tensor("int32", (4,))), "unsupported operator"),
        (("SOFTMAX", 1, [], FLOAT), "unsupported beta"),
        (("RESHAPE", 1, [constant("int32", 2)], tensor("float32", (1, 256))), None),
        (("MEAN", 1, [constant("int32", 2)], tensor("float32", (1, 4))), None),
        (("ADD", 1, [constant("float32", 8, 4)], FLOAT), "broadcasting from"),
        (("ADD", 1, [constant("float32", 8, 8, 4)], FLOAT), None),
        (("MUL", 1, [constant("float32", 1, 8, 1, 9)], FLOAT), "broadcasting from"),
        (("SUB", 1, [], FLOAT), "1 inputs instead of 2"),
        (
            ("LESS", 1, [constant("float32", 1)], tensor("bool")),
            "not followed by a single CAST or SELECT",
        ),
        (
            ("STRIDED_SLICE", 1, [constant("int32", 4)] * 3, tensor("float32", (1, 8, 4))),
            "unsupported shrink_axis_mask",
        ),
        (
            ("DEPTHWISE_CONV_2D", 1, [constant("float32", 1, 3, 3, 8)], tensor("float32", (1, 8))),
            "a depth multiplier with several input channels",
        ),
        (
            ("FULLY_CONNECTED", 1, [constant("float32", 3, 256)], tensor("float32", (1, 3))),
            "an input that it flattens itself",
        ),
        (("PAD", 1, [constant("int32", 2, 2)], FLOAT), "supported for 3 or 4 dimensions only"),
        (("GATHER", 1, [constant("int32", 2, 2)], FLOAT), "supported with a list of indices only"),
        (("FULLY_CONNECTED", 1, [], FLOAT), "too few inputs"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_gpu_delegate_runs_an_operator_or_says_why_not(
    operator: tuple[str, int, list[Tensor], Tensor], why: str | None
) -> None:
    delegation = gpu_delegation(model(operator))
    if why is None:
        assert not delegation.left
    else:
        (left,) = delegation.left
        assert left.why
        assert why in left.why


def test_a_comparison_is_supported_before_a_cast_and_float16_weights_are_constants() -> None:
    comparison = ("GREATER", 1, [constant("float32", 1)], tensor("bool"))
    assert not gpu_delegation(model(comparison, ("CAST", 1, [], FLOAT))).left
    stored, widened = constant("float16", 4, 3, 3, 4), tensor("float32", (4, 3, 3, 4))
    bias = constant("float32", 4)
    graph = Graph(
        tensors=(FLOAT, stored, widened, bias, FLOAT),
        operators=(
            Operator(name="DEQUANTIZE", version=3, inputs=(1,), outputs=(2,)),
            Operator(name="CONV_2D", version=1, inputs=(0, 2, 3), outputs=(4,)),
        ),
        inputs=(0,),
        outputs=(4,),
    )
    assert not gpu_delegation(Model(subgraphs=(graph,))).left


def test_a_split_graph_has_parts_and_crossing_bytes() -> None:
    relu, reverse = ("RELU", 1, [], FLOAT), ("REVERSE_V2", 1, [], FLOAT)
    delegation = gpu_delegation(model(relu, reverse, relu, relu, reverse))
    assert (delegation.operators, delegation.partitions, delegation.delegated) == (5, 2, 2)
    assert [left.index for left in delegation.left] == [1, 4]
    assert delegation.crossing_bytes == 2 * 1024  # into the largest part, and out of it


MEASURE = """
import json, sys
from pathlib import Path
from {package} import interpreter
from edgepack.tflite.delegated_operators import left_by_delegates
for path in sys.argv[1:]:
    running = interpreter.Interpreter(model_content=Path(path).read_bytes())
    running.allocate_tensors()
    nodes = running._get_ops_details()
    parts = sum(node["op_name"] == "DELEGATE" for node in nodes)
    print(json.dumps({{"left": left_by_delegates(running), "partitions": parts}}))
"""


def measured(package: str, paths: list[Path]) -> list[dict[str, Any]]:
    done = python("-c", MEASURE.format(package=package), *paths)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "package", ["ai_edge_litert", pytest.param("tflite_runtime", marks=needs_tflite_runtime)]
)
def test_a_graph_is_partitioned_as_interpreters_partition_it(package: str, cnn: Bundle) -> None:
    paths = [cnn.folder / "int8.tflite", cnn.folder / "float.tflite"]
    paths += sorted(MLPERF.glob("*/reference_*.tflite"))
    for path, expected in zip(paths, measured(package, paths), strict=True):
        graph = read_tflite(path.read_bytes()).main
        delegation = delegate_graph(graph, dict.fromkeys(expected["left"]))
        assert expected["partitions"] == delegation.partitions
        assert delegation.delegated == delegation.operators - len(delegation.left)


def test_checks_report_a_split_as_a_note_and_nothing_for_a_whole_graph() -> None:
    whole = model(("RELU", 1, [], FLOAT))
    split = model(("RELU", 1, [], FLOAT), ("REVERSE_V2", 1, [], FLOAT), ("TANH", 1, [], FLOAT))
    assert not list(gpu_takes_all(whole, PHONE))
    (note,) = gpu_takes_all(split, PHONE)
    assert note.is_note
    assert note.operator == "REVERSE_V2"
    assert note.message == (
        "the GPU delegate runs 1 of 3 operators, the largest of 2 parts; the CPU runs REVERSE_V2"
        " (unsupported operator); 2,048 bytes pass between CPU and GPU in each"
        " inference"
    )
    (note,) = gpu_takes_all(model(("REVERSE_V2", 1, [], FLOAT)), PHONE)
    assert note.message == (
        "the GPU delegate runs no operator; the CPU runs REVERSE_V2 (unsupported operator)"
    )
    runs = {
        "litert": Run(version="", left_by_delegates=[1]),
        "tflite-runtime": Run(version="", left_by_delegates=[]),
    }
    (note,) = xnnpack_takes_all(BOARD, Evidence(model=split, model_bytes=0, runs=runs))
    assert note.message == (
        "XNNPACK runs 2 of 3 operators, in 2 parts; LiteRT's own kernels run REVERSE_V2"
    )
