"""Layers whose output is the same single value for all samples, although their inputs vary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgepack.calibration.activations.instrument import activation_names
from edgepack.calibration.activations.ranges import Range
from edgepack.tflite.graph import Graph, Operator

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_ACTIVATIONS = ("ELU", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "PRELU", "TANH")
_CLIPPED = ("MAXIMUM", "MINIMUM", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")
_LAYERS = frozenset({*_WEIGHTED, *_ACTIVATIONS, *_CLIPPED})
"""Operators that a layer of its own stands for: a state of an LSTM, a mask, or a part that is cut
out of something larger, may well be constant."""

_ABSENT = -1
_SELECT = "SELECT_V2"
_COMPARISONS = ("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")


def find_dead(graph: Graph, observed: Mapping[str, Range]) -> list[int]:
    """Return the computed tensors, by index, that are one value although their inputs vary.

    ``observed`` are the smallest and largest observed values by activation. Those that are computed
    from another such tensor are left out: they follow it. Where an output of the model does not
    depend on the sample, what makes it so counts, whichever operator it is; elsewhere only
    operators that a layer of its own stands for.
    """
    names = activation_names(graph, range(len(graph.tensors)))
    single = {names[name] for name, each in observed.items() if each.min == each.max}
    constants = {index for index, tensor in enumerate(graph.tensors) if tensor.is_constant}
    still = single | constants
    first: dict[int, Operator] = {}
    for operator in graph.operators:
        inputs, outputs = ({*each} - {_ABSENT} for each in (operator.inputs, operator.outputs))
        if still.issuperset(inputs):
            still |= outputs
        elif not (still - constants).intersection(inputs):
            first |= dict.fromkeys(outputs & single, operator)
    decisive = _ancestors(graph, still.intersection(graph.outputs))
    return [
        index
        for index, operator in first.items()
        if index in decisive or operator.name in _LAYERS or _is_threshold(graph, operator)
    ]


def _ancestors(graph: Graph, tensors: Iterable[int]) -> set[int]:
    """Return tensors, and all that they are computed from, by index."""
    found = set(tensors)
    for operator in reversed(graph.operators):
        if found.intersection(operator.outputs):
            found.update(operator.inputs)
    return found


def _is_threshold(graph: Graph, operator: Operator) -> bool:
    """Whether an operator keeps those values that exceed a limit, as ReLU with a threshold does."""
    if operator.name != _SELECT:
        return False
    condition, *values = operator.inputs
    return any(
        condition in other.outputs
        and other.name in _COMPARISONS
        and not {*values}.isdisjoint(other.inputs)
        for other in graph.operators
    )
