"""Operators without the inputs, outputs or options that they require are damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from convolutions import net
from tiny import Value, one_operator

from edgepack.core.errors import ModelError
from edgepack.tflite.parser import read_tflite


def options(index: int, **values: Any) -> Callable[[Any], None]:
    """Return a change that sets options of an operator."""

    def change(graph: Any) -> None:
        for name, value in values.items():
            setattr(graph.operators[index].builtinOptions, name, value)

    return change


def without_options(graph: Any) -> None:
    graph.operators[1].builtinOptions, graph.operators[1].builtinOptionsType = None, 0


def with_options_of_another(graph: Any) -> None:
    first, second = graph.operators
    second.builtinOptions, second.builtinOptionsType = (
        first.builtinOptions,
        first.builtinOptionsType,
    )


def with_two_outputs(graph: Any) -> None:
    graph.tensors.append(graph.tensors[2])
    graph.operators[1].outputs = [2, len(graph.tensors) - 1]


def tensors(index: int, **lists: list[int]) -> Callable[[Any], None]:
    """Return a change that sets the inputs or outputs of an operator."""

    def change(graph: Any) -> None:
        for name, indices in lists.items():
            setattr(graph.operators[index], name, indices)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_options, "operator 1, DEPTHWISE_CONV_2D, has no DepthwiseConv2DOptions"),
        (with_options_of_another, "operator 1, DEPTHWISE_CONV_2D, has no DepthwiseConv2DOptions"),
        (options(0, padding=7), "operator 0, CONV_2D, has padding 7, which does not exist"),
        (
            options(1, fusedActivationFunction=99),
            "operator 1, DEPTHWISE_CONV_2D, has fused_activation_function 99, which does not exist",
        ),
        (options(0, strideW=0), "operator 0, CONV_2D, has stride_w 0"),
        (options(0, strideH=-2), "operator 0, CONV_2D, has stride_h -2"),
        (options(1, dilationHFactor=0), "DEPTHWISE_CONV_2D, has dilation_h_factor 0"),
        (tensors(0, inputs=[0]), "operator 0, CONV_2D, has 1 inputs, but 2 to 3 are needed"),
        (tensors(0, inputs=[-1, 3, 4]), "operator 0, CONV_2D, omits input 0"),
        (with_two_outputs, "operator 1, DEPTHWISE_CONV_2D, has 2 outputs, but 1 is needed"),
    ],
)
def test_operators_without_what_they_require_are_damage(
    change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(ModelError, match=f"^(damaged|invalid) .tflite file: .*{message}$"):
        read_tflite(net(change))


@pytest.mark.parametrize("version", [0, -2])
def test_versions_begin_at_1(version: int) -> None:
    value = Value((1, 4))
    with pytest.raises(ModelError, match=f"operator 0, RELU, has version {version}$"):
        read_tflite(one_operator("RELU", [value], [value], version=version))


def test_operators_count_their_outputs_correctly() -> None:
    axis, whole, half = Value((), "int32", values=[1]), Value((1, 4)), Value((1, 2))
    data = one_operator("SPLIT", [axis, whole], [half, half], table="SplitOptions", numSplits=2)
    assert len(read_tflite(data).main.outputs) == 2
    data = one_operator("SPLIT", [axis, whole], [half, half], table="SplitOptions", numSplits=3)
    with pytest.raises(ModelError, match="SPLIT, has num_splits 3 but 2 outputs"):
        read_tflite(data)


def test_an_optional_input_may_be_omitted() -> None:
    shapes = [(2, 10), (8, 10), (8, 4), None, (2, 32)]
    inputs = [Value(shape) if shape else None for shape in shapes]
    assert read_tflite(one_operator("SVDF", inputs, [Value((2, 4))])).main.operators
