"""Activations that must share a scale, because an operator passes values on without rescaling."""

from __future__ import annotations

from collections import Counter
from math import prod

from edgepack.tflite.graph import Graph

SHARING = frozenset(
    {
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_TO",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "DYNAMIC_UPDATE_SLICE",
        "EXPAND_DIMS",
        "GATHER",
        "GATHER_ND",
        "MAX_POOL_2D",
        "MIRROR_PAD",
        "PACK",
        "PAD",
        "PADV2",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SELECT_V2",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TILE",
        "TRANSPOSE",
        "UNPACK",
    }
)
"""TensorFlow Lite's specification of int8 quantization, https://ai.google.dev/edge/litert/models/
quantization_spec: "inputs and outputs must all have same scale/zero_point"."""


def sharing_groups(graph: Graph) -> list[set[int]]:
    """Return the groups of two or more tensors of a float graph, by index, that share a scale."""
    group_of: dict[int, set[int]] = {}
    for operator in graph.operators:
        if operator.name not in SHARING:
            continue
        tensors = {
            index
            for index in (*operator.inputs, *operator.outputs)
            if index >= 0
            and graph.tensors[index].dtype == "float32"
            and not graph.tensors[index].is_constant
        }
        merged = set().union(tensors, *(group_of.get(index, set()) for index in tensors))
        group_of |= dict.fromkeys(merged, merged)
    return list({id(group): group for group in group_of.values() if len(group) > 1}.values())


def pooling_factors(graph: Graph) -> dict[int, float]:
    """Return how many values of a tensor, by index, an average pooling averages into one.

    Tensors with other consumers, and outputs of the model, are left out.
    """
    consumers = Counter(index for operator in graph.operators for index in set(operator.inputs))
    sizes = [prod(tensor.shape) for tensor in graph.tensors]
    return {
        operator.inputs[0]: sizes[operator.inputs[0]] / sizes[operator.outputs[0]]
        for operator in graph.operators
        if operator.name == "AVERAGE_POOL_2D"
        and consumers[operator.inputs[0]] == 1
        and operator.inputs[0] not in graph.outputs
    }
