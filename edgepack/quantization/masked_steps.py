"""Layers that compare float values to find masked steps, as Keras's Masking does.

TensorFlow's quantizer leaves the comparison in float.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.tflite.constants import stored_values
from edgepack.tflite.converter_names import split_fused_name
from edgepack.tflite.graph import Graph, Operator

_MASKING = ("SELECT_V2", "SELECT", "MUL")


def scope(name: str) -> str:
    """Return the layer in the name of a tensor: without the model's name and the operation's.

    >>> scope("model/block/mask/SelectV2"), scope("SelectV2")
    ('block/mask', '')
    """
    return "/".join(split_fused_name(name)[0].split("/")[1:-1])


def comparisons(graph: Graph) -> list[Operator]:
    """Return the operators that compare float values to find masked steps."""
    return [
        operator
        for operator in graph.operators
        if operator.name == "NOT_EQUAL"
        and any(graph.tensors[index].dtype == "float32" for index in operator.inputs)
    ]


def masking_layers(graph: Graph) -> dict[str, str]:
    """Return the layers that mask steps by their values, by the first output of their operator."""
    return {name: scope(name) for name, _ in _masks(graph)}


def zero_masks(graph: Graph) -> dict[str, str]:
    """Return the layers to leave in float if only steps of zeros are masked; else none.

    They are the masking layers, and those that convert the mask to float. In a model of integers,
    0 is exact, but hardly another value.
    """
    masks = list(_masks(graph))
    if not masks or not all(is_zero for _, is_zero in masks):
        return {}
    casts = [
        graph.tensors[operator.outputs[0]].name
        for operator in graph.operators
        if operator.name == "CAST" and graph.tensors[operator.inputs[0]].dtype == "bool"
    ]
    return {name: scope(name) or name for name in (*(name for name, _ in masks), *casts)}


def _masks(graph: Graph) -> Iterator[tuple[str, bool]]:
    for comparison in comparisons(graph):
        constants = {i for i in comparison.inputs if graph.tensors[i].is_constant}
        compared = set(comparison.inputs) - constants
        is_zero = not any(stored_values(graph.tensors[index]).any() for index in constants)
        for operator in graph.operators:
            if operator.name not in _MASKING or not compared & set(operator.inputs):
                continue
            name = graph.tensors[operator.outputs[0]].name  # others may have no output
            if scope(name):
                yield name, is_zero and constants <= set(operator.inputs)
