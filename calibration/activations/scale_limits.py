"""Ranges with which every interpreter runs: none without extent, none finer than kernels accept.

The ranges of activations that are always zero, or tiny next to those that they are computed from,
are widened. Nothing is lost: their steps remain finer than what they are computed from can show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from edgepack.calibration.activations.instrument import activation_names, find_activations
from edgepack.calibration.activations.ranges import Range, Ranges, shortest_float32
from edgepack.calibration.activations.shared_scale import sharing_groups
from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Graph, Operator

_STEPS = 255  # of an int8 tensor
_WEIGHT_STEPS = 127  # of int8 weights, on either side of zero

_SMALLEST_STEP = 2.0**-63
"""The product of two steps must be a normal float32, 2**-126 or more: XNNPACK refuses others."""

_DEFAULT_MAGNITUDE = 1.0
"""The largest value of an activation that is always zero, as is everything around it."""

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_WEIGHTS = 1  # their index among the inputs of these

_FINEST_OUTPUTS = {
    "ADD": 2.0**12,
    "CONV_2D": 2.0**7,
    "DEPTHWISE_CONV_2D": 2.0**7,
    "FULLY_CONNECTED": 2.0**3,
    "HARD_SWISH": 2.0**6,
    "SQUARED_DIFFERENCE": 2.0**10,
    "SUB": 2.0**12,
    "TRANSPOSE_CONV": 2.0**7,
}
"""The largest ratio of what an operator computes with (see :func:`_operand_step`) to its output's
step, at most half of what the interpreters accept.

Measured on LiteRT 2.3, tflite-runtime 2.14 and TFLM with one operator by itself, and as their
sources have it: XNNPACK refuses to requantize by 2**8 or more, also with int4 weights, whose steps
are 18 times as large, in FULLY_CONNECTED. The other kernels shift the inputs of ADD and SUB to the
left by 20 bits in int8, by 15 in int16, those of SQUARED_DIFFERENCE by 7, and abort if the output's
multiplier is not less than 1; HARD_SWISH requires a multiplier below 2**7.
"""

_FINEST_SOFTMAX_INPUT = 2.0**-25
"""The smallest step of the input of SOFTMAX: TFLM aborts below half of it, since its multiplier,
``beta * step * 2**26``, must exceed 1."""


def usable_ranges(graph: Graph, ranges: Mapping[str, Range]) -> Ranges:
    """Widen the ranges of a float model with which an interpreter would refuse the quantized one.

    An activation without extent gets the largest magnitude of what it is combined with: the other
    inputs and the outputs of the operators that use it; or else of what it is computed from; or
    else 1. Activations that share a scale are widened together. Other ranges stay as they are.
    """
    names, usable = _widened(graph, ranges)
    return {name: usable.of.get(names.get(name, -1), each) for name, each in ranges.items()}


def widening_operators(graph: Graph, ranges: Mapping[str, Range]) -> dict[int, Operator]:
    """Return the operators for which :func:`usable_ranges` widens ranges, by tensor index."""
    return _widened(graph, ranges)[1].widened_for


def _widened(graph: Graph, ranges: Mapping[str, Range]) -> tuple[dict[str, int], _Ranges]:
    """Return the tensors of a graph by name, and their ranges as interpreters accept them."""
    names = activation_names(graph, range(len(graph.tensors)))
    usable = _Ranges(graph, {names[name]: each for name, each in ranges.items() if name in names})
    for index in find_activations(graph):
        usable.give_extent(index)
    for _ in graph.operators:
        if not sum(usable.widen(operator) for operator in graph.operators):
            break
    return names, usable


class _Ranges:
    """The ranges of a graph's activations, by tensor index."""

    def __init__(self, graph: Graph, ranges: dict[int, Range]) -> None:
        self.of = ranges
        self.widened_for: dict[int, Operator] = {}
        self._graph = graph
        self._groups = {index: group for group in sharing_groups(graph) for index in group}

    def magnitude(self, index: int) -> float | None:
        """The largest absolute value of an activation or a constant; None for other tensors."""
        if index in self.of:
            return max(-self.of[index].min, self.of[index].max)
        tensor = self._graph.tensors[index] if index >= 0 else None
        if tensor is None or tensor.dtype != "float32" or not tensor.is_constant:
            return None
        return float(np.abs(stored_values(tensor)).max(initial=0))

    def largest(self, indices: Iterable[int], *, except_weights: Operator) -> float:
        """The largest magnitude among operands, without the weights and the bias; 0 if none."""
        is_weighted = except_weights.name in _WEIGHTED
        chosen = (each for each in indices if not is_weighted or each in self.of)
        return max((self.magnitude(each) or 0.0 for each in chosen), default=0.0)

    def give_extent(self, index: int) -> None:
        """Give an activation, and those that share its scale, a range if it has none."""
        if index not in self.of or _step(self.of[index]) >= _SMALLEST_STEP:
            return
        group = self._groups.get(index, {index})
        magnitudes = [*self._combined(group), *self._origins(group), _DEFAULT_MAGNITUDE]
        largest = next(each for each in magnitudes if each >= _SMALLEST_STEP * _STEPS)
        self._set(index, Range(min=-largest, max=largest))

    def _combined(self, group: set[int]) -> Iterator[float]:
        """Yield the largest magnitude among what the users of a group combine it with."""
        yield max(
            (
                self.largest({*operator.inputs, *operator.outputs} - group, except_weights=operator)
                for operator in self._graph.operators
                if group & {*operator.inputs}
            ),
            default=0.0,
        )

    def _origins(self, group: set[int]) -> Iterator[float]:
        """Yield the largest magnitude among what a group is computed from."""
        yield max(
            (
                self.largest({*operator.inputs} - group, except_weights=operator)
                for operator in self._graph.operators
                if group & {*operator.outputs}
            ),
            default=0.0,
        )

    def widen(self, operator: Operator) -> bool:
        """Widen the ranges that an operator would be refused with; returns whether it did."""
        if operator.name in ("LOG_SOFTMAX", "SOFTMAX"):
            finest = _FINEST_SOFTMAX_INPUT / operator.options.get("beta", 1.0)
            return self._coarsen(operator.inputs[0], finest, operator)
        if operator.name not in _FINEST_OUTPUTS:
            return False
        finest = self._operand_step(operator) / _FINEST_OUTPUTS[operator.name]
        return self._coarsen(operator.outputs[0], finest, operator)

    def _operand_step(self, operator: Operator) -> float:
        """Return the step of what an operator computes with, in the unit of its output.

        It is the input's step times the weights', the square of a difference's, or else the largest
        step of the inputs.
        """
        steps = [_step(self.of[index]) for index in operator.inputs if index in self.of]
        step = max(steps, default=0.0)
        weights = operator.inputs[_WEIGHTS] if operator.name in _WEIGHTED else -1
        if weights >= 0 and weights not in self.of:
            return step * (self.magnitude(weights) or 0.0) / _WEIGHT_STEPS
        return step**2 if operator.name == "SQUARED_DIFFERENCE" else step

    def _coarsen(self, index: int, finest: float, operator: Operator) -> bool:
        """Widen a range, in proportion, whose step is finer than an operator accepts."""
        if index not in self.of or _step(self.of[index]) >= finest:
            return False
        factor = finest / _step(self.of[index])
        old = self.of[index]
        self._set(index, Range(min=old.min * factor, max=old.max * factor))
        self.widened_for |= dict.fromkeys(self._groups.get(index, {index}), operator)
        return _step(self.of[index]) > _step(old)

    def _set(self, index: int, chosen: Range) -> None:
        rounded = Range(min=shortest_float32(chosen.min), max=shortest_float32(chosen.max))
        self.of |= dict.fromkeys(self._groups.get(index, {index}), rounded)


def _step(of: Range) -> float:
    return (of.max - of.min) / _STEPS
