"""Activations that must share a scale, because an operator passes values on without rescaling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import prod

from edgepack.tflite.graph import Graph, Operator

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
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SELECT",
        "SELECT_V2",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TILE",
        "TOPK_V2",
        "TRANSPOSE",
        "UNPACK",
    }
)
"""TensorFlow Lite's specification of int8 quantization, https://ai.google.dev/edge/litert/models/
quantization_spec: "inputs and outputs must all have same scale/zero_point"; and REDUCE_MAX,
REDUCE_MIN, SELECT and TOPK_V2, which TensorFlow's quantizer and the kernels treat alike.
"""

_CLIPPING = frozenset({"MAXIMUM", "MINIMUM"})
"""Operators whose inputs the quantizer gives the range of the output, whatever they ask for.

That changes nothing where nobody else reads an input: what lies outside is clipped anyway.
"""

_COMMUTE_WITH_CLIPPING = SHARING - {"AVERAGE_POOL_2D", "RESIZE_BILINEAR", "REVERSE_V2"}
"""Operators after which clipping has the same result as before them.

Averages of clipped values are others; before a REVERSE_V2 the quantizer does not clip.
"""


def sharing_groups(graph: Graph) -> list[set[int]]:
    """Return the groups of two or more tensors of a graph, by index, that share a scale.

    A MAXIMUM or MINIMUM shares its scale with its inputs if others need all of their values.
    """
    sharing, _ = _operators(graph)
    return [group for group in _merge(graph, sharing) if len(group) > 1]


def clipped_activations(graph: Graph) -> dict[int, str]:
    """Return the tensors, by index, whose values only a MAXIMUM or MINIMUM reads, with its name.

    Quantizers give them the range of its output, which may be narrower than that of their values.
    """
    sharing, clipping = _operators(graph)
    groups = {index: group for group in _merge(graph, sharing) for index in group}
    return {
        index: operator.name
        for operator in clipping
        for read in _activations(graph, operator.inputs)
        for index in groups.get(read, {read})
    }


def _operators(graph: Graph) -> tuple[list[Operator], list[Operator]]:
    """Return the operators whose activations share a scale, and those that only clip."""
    sharing = [operator for operator in graph.operators if operator.name in SHARING]
    clipping = [operator for operator in graph.operators if operator.name in _CLIPPING]
    while True:
        groups = _merge(graph, sharing)
        joining = [each for each in clipping if not _only_clips(graph, each, groups)]
        if not joining:
            return sharing, clipping
        sharing += joining
        clipping = [each for each in clipping if each not in joining]


def _only_clips(graph: Graph, operator: Operator, groups: Iterable[set[int]]) -> bool:
    """Whether nothing but an operator reads its inputs, or what shares a scale with them."""
    group_of = {index: group for group in groups for index in group}
    read = _activations(graph, operator.inputs)
    clipped = read.union(*(group_of.get(index, set()) for index in read))
    return not clipped & {*graph.outputs} and all(
        each is operator or each.name in _COMMUTE_WITH_CLIPPING
        for each in graph.operators
        if clipped & {*each.inputs}
    )


def _merge(graph: Graph, operators: Iterable[Operator]) -> list[set[int]]:
    """Return the groups of tensors that operators connect."""
    group_of: dict[int, set[int]] = {}
    for operator in operators:
        tensors = _activations(graph, (*operator.inputs, *operator.outputs))
        merged = tensors.union(*(group_of.get(index, set()) for index in tensors))
        group_of |= dict.fromkeys(merged, merged)
    return list({id(group): group for group in group_of.values()}.values())


def _activations(graph: Graph, indices: Iterable[int]) -> set[int]:
    """Return the tensors among ``indices`` that have a scale, or get one, but no constants."""
    return {
        index
        for index in indices
        if index >= 0
        and (graph.tensors[index].dtype == "float32" or graph.tensors[index].quant is not None)
        and not graph.tensors[index].is_constant
    }


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
