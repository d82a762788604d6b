"""What the operators after a value can still tell apart: a softmax not how low a masked value is.

Every tensor of a float graph has :class:`Bounds`: values beyond them may be replaced by the bounds,
and the model computes the same. They are derived backwards, from the outputs of the graph to its
inputs, by the rules of the operators in :data:`_RULES`. Whatever an operator that has no rule reads
matters, and so does an output of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.shared_scale import SHARING
from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Graph, Operator, Tensor

_BIAS = 2  # its index among the inputs
_FLOAT32_BITS = 24  # of the significand
_NEGLIGIBLE = _FLOAT32_BITS * log(2)
"""exp of less than minus this is too small to be seen beside 1 in float32."""

_TANH_SATURATES = (_FLOAT32_BITS + 1) / 2 * log(2)
"""1 - tanh(x) is about 2 exp(-2x), and less than half of float32's last bit from here on."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The ordinary values of a tensor on the representative dataset, without fills.

    Fills are values so large that they only stand for "low (or high) enough". ``positive`` is the
    smallest value above 0, ``negative`` the largest one below 0. ``row_high`` is the smallest
    maximum of a row along the last axis, of the rows that have an ordinary maximum. Without any
    such value, each is an infinity: ``low > high``.
    """

    low: float = inf
    high: float = -inf
    positive: float = inf
    negative: float = -inf
    row_high: float = inf

    @property
    def is_known(self) -> bool:
        """Whether there are ordinary values."""
        return self.low <= self.high

    def __or__(self, other: Facts) -> Facts:
        """Return the facts of the values of both."""
        return Facts(
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            positive=min(self.positive, other.positive),
            negative=max(self.negative, other.negative),
            row_high=min(self.row_high, other.row_high),
        )


def find_facts(values: NDArray[Any], fill: float) -> Facts:
    """Return the facts of values; those of magnitude ``fill`` or more, and NaN, are no facts.

    >>> find_facts(np.array([[-1e9, 2.0, 0.5], [-1e9, -3.0, 0.0]], np.float32), 5e8)
    Facts(low=-3.0, high=2.0, positive=0.5, negative=-3.0, row_high=0.0)
    """
    ordinary = values[np.abs(values) < fill]
    rows = values.max(axis=-1, initial=-inf) if values.ndim else values
    return Facts(
        low=float(ordinary.min(initial=inf)),
        high=float(ordinary.max(initial=-inf)),
        positive=float(ordinary[ordinary > 0].min(initial=inf)),
        negative=float(ordinary[ordinary < 0].max(initial=-inf)),
        row_high=float(rows[np.abs(rows) < fill].min(initial=inf)),
    )


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The values of a tensor that can be told apart: from ``low`` to ``high``.

    ``low_by`` and ``high_by`` name the operators that cannot tell values beyond each apart.
    """

    low: float = -inf
    high: float = inf
    low_by: frozenset[str] = field(default=frozenset(), compare=False)
    high_by: frozenset[str] = field(default=frozenset(), compare=False)

    def __or__(self, other: Bounds) -> Bounds:
        """Return the bounds of values that both must tell apart."""
        return Bounds(
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            low_by=self.low_by | other.low_by,
            high_by=self.high_by | other.high_by,
        )

    @property
    def flipped(self) -> Bounds:
        """The bounds of the negative of a value."""
        return Bounds(low=-self.high, high=-self.low, low_by=self.high_by, high_by=self.low_by)

    def shifted(self, low: float, high: float) -> Bounds:
        """Return the bounds with something added to each."""
        return replace(self, low=self.low + low, high=self.high + high)

    def within(self, low: float, high: float, teller: str) -> Bounds:
        """Return the bounds of what a function passes on, if it saturates at ``low`` and ``high``.

        ``teller`` is the name of the function.
        """
        tellers = frozenset({teller})
        return Bounds(
            low=min(max(self.low, low), high),
            high=max(min(self.high, high), low),
            low_by=self.low_by | tellers if low > -inf else self.low_by,
            high_by=self.high_by | tellers if high < inf else self.high_by,
        )


EVERYTHING = Bounds()
NOTHING = Bounds(low=inf, high=-inf)
"""The bounds of a tensor that nobody reads."""


def find_bounds(graph: Graph, facts: Mapping[int, Facts]) -> dict[int, Bounds]:
    """Return the bounds of each tensor of a float graph, by index.

    ``facts`` are those of its float tensors, constants included. Ordinary values are always within
    the bounds.
    """
    bounds = dict.fromkeys(graph.outputs, EVERYTHING)
    for operator in reversed(graph.operators):
        result = NOTHING
        for index in operator.outputs:
            result |= bounds.get(index, NOTHING)
            if index in facts:
                result |= Bounds(low=facts[index].low, high=facts[index].high)
        rule = _RULES.get(operator.name, _matters)
        for position, index in enumerate(operator.inputs):
            if index >= 0:
                call = _Call(
                    graph=graph, operator=operator, position=position, result=result, facts=facts
                )
                bounds[index] = bounds.get(index, NOTHING) | rule(call)
    return bounds


@dataclass(frozen=True, kw_only=True)
class _Call:
    """An operator with the bounds of its outputs, and the position of one of its inputs.

    ``facts`` are those of tensors, by index.
    """

    graph: Graph
    operator: Operator
    position: int
    result: Bounds
    facts: Mapping[int, Facts]

    @property
    def before_activation(self) -> Bounds:
        """The bounds of what the operator computes, before its fused activation function."""
        number = self.operator.options.get("fused_activation_function", 0)
        if number == 0:
            return self.result
        name = _FUSED.get(int(number))
        return EVERYTHING if name is None else self.result.within(*_SATURATING[name], name)

    def tensor(self, position: int) -> Tensor:
        return self.graph.tensors[self.operator.inputs[position]]

    def known(self, position: int) -> Facts:
        """The facts of an input; without any, whatever depends on them matters."""
        return self.facts.get(self.operator.inputs[position], Facts())

    @property
    def other(self) -> Facts:
        """The facts of the other one of two inputs."""
        return self.known(1 - self.position)

    @property
    def output(self) -> Facts:
        return self.facts.get(self.operator.outputs[0], Facts())


_Rule = Callable[[_Call], Bounds]
"""Returns the bounds of the input."""


def _matters(_: _Call) -> Bounds:
    return EVERYTHING


def _passes_on(call: _Call) -> Bounds:
    return call.result


def _saturates(call: _Call) -> Bounds:
    """A function that passes values on, and saturates."""
    name = call.operator.name
    return call.result.within(*_SATURATING[name], name)


def _levels_off(call: _Call) -> Bounds:
    """A function that levels off beyond its bounds, and bends what is between them."""
    name = call.operator.name
    return EVERYTHING.within(*_LEVELLING[name], name)


def _softmax(call: _Call) -> Bounds:
    """All values of a row that are so low add up to less than float32 can see beside the largest.

    That one's exp is 1, since a softmax subtracts it first.
    """
    length = call.tensor(0).shape[-1]
    depth = (_NEGLIGIBLE + log(length)) / call.operator.options.get("beta", 1.0)
    lowest = call.known(0).row_high
    return EVERYTHING if lowest == inf else EVERYTHING.within(lowest - depth, inf, "SOFTMAX")


def _largest(call: _Call) -> Bounds:
    """Of several values, the largest is the output: lower ones than the lowest output never are."""
    if not call.output.is_known:
        return EVERYTHING
    return call.before_activation.within(call.output.low, inf, call.operator.name)


def _smallest(call: _Call) -> Bounds:
    if not call.output.is_known:
        return EVERYTHING
    return call.result.within(-inf, call.output.high, call.operator.name)


def _add(call: _Call) -> Bounds:
    if not call.other.is_known:
        return EVERYTHING
    return call.before_activation.shifted(-call.other.high, -call.other.low)


def _subtract(call: _Call) -> Bounds:
    if not call.other.is_known:
        return EVERYTHING
    result = call.before_activation if call.position == 0 else call.before_activation.flipped
    return result.shifted(call.other.low, call.other.high)


def _multiply(call: _Call) -> Bounds:
    """Products with the other input's values, which may be of both signs and near 0."""
    other, bounds = call.other, NOTHING
    for nearest, farthest in ((other.positive, other.high), (other.negative, other.low)):
        if abs(nearest) == inf:
            continue  # no value has this sign
        result = call.before_activation if nearest > 0 else call.before_activation.flipped
        factors = abs(nearest), abs(farthest)
        bounds |= replace(
            result,
            low=min(result.low / factor for factor in factors),
            high=max(result.high / factor for factor in factors),
        )
    return EVERYTHING if bounds == NOTHING else bounds


def _negate(call: _Call) -> Bounds:
    return call.result.flipped


def _compare(call: _Call) -> Bounds:
    """Values that lie as far beyond the other input's as those reach compare like any farther."""
    other = call.other
    if not other.is_known:
        return EVERYTHING
    margin = max(other.high - other.low, abs(other.low), abs(other.high)) or 1.0
    return EVERYTHING.within(other.low - margin, other.high + margin, call.operator.name)


def _bias(call: _Call) -> Bounds:
    """A bias is added to products of the weights with the input, each as large as they can be."""
    weights, given, result = call.tensor(1), call.known(0), call.before_activation
    if (
        call.position != _BIAS
        or weights.dtype != "float32"
        or not weights.data
        or not given.is_known
    ):
        return EVERYTHING
    values = stored_values(weights).reshape(weights.shape).astype(np.float64)
    low, high = min(given.low, 0.0), max(given.high, 0.0)  # padding is 0
    channels = -1 if call.operator.name == "DEPTHWISE_CONV_2D" else 0
    by_channel = np.moveaxis(values, channels, 0).reshape(values.shape[channels], -1)
    largest = np.maximum(by_channel * low, by_channel * high).sum(axis=1).max()
    smallest = np.minimum(by_channel * low, by_channel * high).sum(axis=1).min()
    return result.shifted(-float(largest), -float(smallest))


_SATURATING = {
    "RELU": (0.0, inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}
"""Functions that pass values between two bounds on as they are."""

_LEVELLING = {
    "ELU": (-_NEGLIGIBLE, inf),
    "EXP": (-_NEGLIGIBLE, inf),
    "HARD_SWISH": (-3.0, inf),
    "LOGISTIC": (-_NEGLIGIBLE, _NEGLIGIBLE),
    "TANH": (-_TANH_SATURATES, _TANH_SATURATES),
}
"""Functions that are constant beyond bounds, as far as float32 can tell beside 1."""

_FUSED = {1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
"""The fused activation functions that saturate, by their numbers in TFLite's schema."""

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(SHARING - {"AVERAGE_POOL_2D", "RESIZE_BILINEAR", "TOPK_V2"}, _passes_on),
    **dict.fromkeys(_SATURATING, _saturates),
    **dict.fromkeys(_LEVELLING, _levels_off),
    **dict.fromkeys(("MAX_POOL_2D", "MAXIMUM", "REDUCE_MAX"), _largest),
    **dict.fromkeys(("MINIMUM", "REDUCE_MIN"), _smallest),
    **dict.fromkeys(
        ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"), _compare
    ),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), _bias),
    "ADD": _add,
    "MUL": _multiply,
    "NEG": _negate,
    "SOFTMAX": _softmax,
    "SUB": _subtract,
}
