"""The parts of outputs, wherever they are moved, and files whose outputs are split into them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from joined import BOXES, REVERSED, TO_FLAT, TO_GRID, TO_ROWS, layout_in, moved
from numpy.typing import NDArray
from tiny import Tiny, Value

from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.split_outputs import split_outputs

Array = NDArray[Any]

BEHIND = (
    "behind its CONCATENATION spreads the parts over it"
    " (move it before the CONCATENATION in the model)"
)


def joined(
    *, axis: int = 2, activation: int = 0, reads: bool = False, constant: bool = False
) -> bytes:
    """Write a model that joins two activations of its input, or of a constant."""
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    boxes = tiny.tensor("model/boxes/Relu", BOXES)
    scores = tiny.tensor("model/scores/Sigmoid", BOXES)
    shape = [1, 8, 8] if axis in (2, -1) else [1, 16, 4]
    y = tiny.tensor("Identity", Value(shape))
    other = tiny.tensor("anchors", Value((1, 8, 4), values=np.ones((1, 8, 4))))
    tiny.operator("RELU", [x], [boxes])
    tiny.operator("LOGISTIC", [x], [scores])
    options = {"axis": axis, "fusedActivationFunction": activation}
    parts = [boxes, other if constant else scores]
    tiny.operator("CONCATENATION", parts, [y], table="ConcatenationOptions", **options)
    outputs = [y]
    if reads:
        outputs.append(tiny.tensor("model/again/Relu", Value(shape)))
        tiny.operator("RELU", [y], outputs[1:])
    return tiny.to_bytes([x], outputs)


@pytest.mark.parametrize("axis", [2, -1])
def test_parts_become_outputs(axis: int) -> None:
    split = split_outputs(joined(axis=axis), ["y"])
    assert [(each.name, each.region) for each in split.outputs] == [
        ("y_0", ((0, 8), (0, 4))),
        ("y_1", ((0, 8), (4, 8))),
    ]
    graph = read_tflite(split.tflite).main
    assert [tensor.name for tensor in graph.output_tensors] == ["y_0", "y_1"]
    assert [operator.name for operator in graph.operators] == ["RELU", "LOGISTIC"]
    assert not split.obstacles


def test_parts_along_another_axis_become_outputs() -> None:
    split = split_outputs(joined(axis=1), ["y"])
    assert [each.shape for each in split.outputs] == [(8, 4), (8, 4)]
    assert split.outputs[1].region == ((8, 16), (0, 4))


def test_names_of_parts_do_not_collide() -> None:
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    boxes, scores, other = (tiny.tensor(name, BOXES) for name in ("a/Relu", "y_1", "b/Relu"))
    y = tiny.tensor("y", Value((1, 8, 8)))
    tiny.operator("RELU", [x], [boxes])
    tiny.operator("LOGISTIC", [x], [scores])
    tiny.operator("RELU6", [x], [other])
    options: dict[str, Any] = {"table": "ConcatenationOptions", "axis": 2}
    tiny.operator("CONCATENATION", [boxes, scores], [y], **options)
    split = split_outputs(tiny.to_bytes([x], [y, other]), ["y", "y_0"])
    assert [each.name for each in split.outputs] == ["y_0_", "y_1_", "y_0"]
    names = [tensor.name for tensor in read_tflite(split.tflite).main.output_tensors]
    assert names == ["y_0_", "y_1_", "b/Relu"]


@pytest.mark.parametrize(
    ("model", "obstacle"),
    [
        (joined(activation=1), "its CONCATENATION has an activation function"),
        (joined(reads=True), "its CONCATENATION is read by other operators too"),
        (joined(constant=True), "a part of it is the constant anchors"),
    ],
)
def test_what_cannot_be_split_stays(model: bytes, obstacle: str) -> None:
    names = ["y", "again"][: len(read_tflite(model).main.outputs)]
    split = split_outputs(model, names)
    assert split.tflite == model
    assert split.obstacles["y"] == obstacle


def run(model: bytes, inputs: list[Array]) -> list[Array]:
    from ai_edge_litert.interpreter import Interpreter

    return TfliteInterpreter(Interpreter(model_content=model)).invoke(inputs)


@pytest.mark.parametrize(
    ("model", "regions", "added"),
    [
        (moved(TO_ROWS), [((0, 4), (0, 8)), ((4, 7), (0, 8))], "TRANSPOSE"),
        (moved(TO_GRID), [((0, 2), (0, 4), (0, 4)), ((0, 2), (0, 4), (4, 7))], "RESHAPE"),
        (
            moved(operator="PACK", axis=1),
            [((0, 1), (0, 8), (0, 4)), ((1, 2), (0, 8), (0, 4))],
            "RESHAPE",
        ),
        (
            moved(("RESHAPE", (1, 16, 4), [1, 16, 4]), operator="PACK", axis=1),
            [((0, 8), (0, 4)), ((8, 16), (0, 4))],
            None,
        ),
    ],
)
def test_what_moves_a_joined_output_moves_its_parts(
    model: bytes, regions: list[Any], added: str | None
) -> None:
    layout = layout_in(model)
    assert [part.layer for part in layout.parts] == ["a", "b"]
    split = split_outputs(model, ["y"])
    assert [each.region for each in split.outputs] == regions
    assert not split.obstacles
    graph = read_tflite(split.tflite).main
    wanted = ["RELU", "LOGISTIC"] + [added, added] * bool(added)
    assert [operator.name for operator in graph.operators] == wanted
    random = np.random.default_rng(1)
    inputs = [random.normal(size=each.shape).astype(np.float32) for each in graph.input_tensors]
    (whole,) = run(model, inputs)
    for part, value in zip(split.outputs, run(split.tflite, inputs), strict=True):
        assert np.array_equal(whole[part.index], value)


@pytest.mark.parametrize(
    ("model", "obstacle"),
    [
        (moved(TO_FLAT), f"RESHAPE {BEHIND}"),
        (
            moved(REVERSED, TO_FLAT),
            f"REVERSE_V2 and RESHAPE {BEHIND}",
        ),
        (moved(("MUL", (2,), [1, 8, 7])), "arithmetic follows the CONCATENATION that joins it"),
    ],
)
def test_parts_that_are_no_regions_or_changed_are_judged_but_not_split(
    model: bytes, obstacle: str
) -> None:
    assert {part.layer for part in layout_in(model).parts} == {"a", "b"}
    assert split_outputs(model, ["y"]).obstacles == {"y": obstacle}


def test_a_nested_concatenation_is_split_into_all_of_its_parts() -> None:
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    options: dict[str, Any] = {"table": "ConcatenationOptions"}
    levels = []
    for level in "ab":
        parts = [tiny.tensor(f"m/{level}{kind}/F", BOXES) for kind in ("box", "score")]
        tiny.operator("RELU", [x], parts[:1])
        tiny.operator("LOGISTIC", [x], parts[1:])
        levels.append(tiny.tensor(f"m/{level}/concat", Value((1, 8, 8))))
        tiny.operator("CONCATENATION", parts, levels[-1:], axis=2, **options)
    y = tiny.tensor("Identity", Value((1, 16, 8)))
    tiny.operator("CONCATENATION", levels, [y], axis=1, **options)
    split = split_outputs(tiny.to_bytes([x], [y]), ["y"])
    assert [each.region for each in split.outputs] == [
        *(((0, 8), (0, 4)), ((0, 8), (4, 8))),
        *(((8, 16), (0, 4)), ((8, 16), (4, 8))),
    ]
    assert {operator.name for operator in read_tflite(split.tflite).main.operators} == {
        "RELU",
        "LOGISTIC",
    }
