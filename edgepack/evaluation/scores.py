"""What is told of each model's outputs: scores against float's, and what quantization costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgepack.evaluation.paired_outputs import Array
from edgepack.metrics import Metric, Unit, find_metric


@dataclass(frozen=True, kw_only=True)
class Score:
    """A compressed model, or a quantized one on an interpreter, against the float model as given.

    ``value`` is the metric's, None without one, or where it is no number, such as an AUC of one
    class. ``agreement`` is the fraction of samples, or of pixels where each has a class, that both
    give the same class, None where outputs are no class scores. ``sqnr_db`` is the power of
    the float outputs over that of the difference, in dB; None if either is zero.
    ``max_abs_error`` and ``mean_abs_error`` are in the unit of the outputs.
    """

    value: float | None
    agreement: float | None
    sqnr_db: float | None
    max_abs_error: float
    mean_abs_error: float


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What quantization costs of a metric.

    Points of a fraction such as accuracy, percent of an error, decibels, or as much as the metric
    gets worse. A gain is negative. An error that was 0 in float costs infinitely much.
    """

    amount: float
    unit: Unit

    def __str__(self) -> str:
        """What is lost, in words.

        >>> print(Drop(amount=0.75, unit=Unit.FRACTION))
        0.75 points are lost
        >>> print(Drop(amount=3.0, unit=Unit.ERROR))
        the error grows by 3.00%
        >>> print(Drop(amount=0.3, unit=Unit.DECIBELS))
        0.30 dB are lost
        >>> print(Drop(amount=0.0125, unit=Unit.PLAIN))
        the metric is worse by 0.0125
        """
        if self.unit is Unit.ERROR:
            grown = f"by {self.amount:.2f}%" if math.isfinite(self.amount) else "from 0"
            return f"the error grows {grown}"
        return {
            Unit.FRACTION: f"{self.amount:.2f} points are lost",
            Unit.DECIBELS: f"{self.amount:.2f} dB are lost",
            Unit.PLAIN: f"the metric is worse by {self.amount:.5g}",
        }[self.unit]


_DIGITS = 9  # 0.92 - 0.90 is a little more than 0.02


def drop(metric: Metric, float_value: float, value: float) -> Drop:
    """Compare the value of a metric with the float model's; NaN if one of them is."""
    amount = losses(metric, np.array([float_value]), np.array([value])).item()
    return Drop(amount=round(amount, _DIGITS), unit=metric.unit)


def losses(metric: Metric, of_float: Array, of_other: Array) -> Array:
    """Compute what is lost between values (n,), in the unit of :class:`Drop`.

    Infinite where an error was 0 in float and is not any more.
    """
    lost = of_float - of_other if metric.is_more_better else of_other - of_float
    if metric.unit is Unit.FRACTION:
        return np.asarray(100 * lost)
    if metric.unit is not Unit.ERROR:
        return np.asarray(lost)
    from_zero = np.where(lost == 0, 0.0, np.where(np.isnan(lost), np.nan, np.inf))
    return np.divide(100 * lost, of_float, out=from_zero, where=of_float != 0)


def change_in_words(metric: Metric, float_value: float, value: float) -> str:
    """Tell how far a metric is from the float model's, with a sign.

    >>> change_in_words(find_metric("accuracy"), 0.92, 0.9)
    '-2.00 points'
    >>> change_in_words(find_metric("psnr"), 31.5, 31.0)
    '-0.50 dB'
    >>> mse = find_metric("mse")
    >>> change_in_words(mse, 2.0, 2.5), change_in_words(mse, 0.0, 0.5)
    ('+25.00%', 'from 0')
    """
    cost = drop(metric, float_value, value)
    if metric.unit is Unit.ERROR:
        return f"{cost.amount:+.2f}%" if float_value else "from 0"
    return {
        Unit.FRACTION: f"{-cost.amount:+.2f} points",
        Unit.DECIBELS: f"{-cost.amount:+.2f} dB",
        Unit.PLAIN: f"{value - float_value:+.5g}",
    }[metric.unit]


NOT_SCHEMES = ("metric", "float", "pruned", "sampled")
"""What an output is told by in reports, besides the name of what the model was quantized to."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What the float model reaches on those ``samples`` that a slow interpreter ran."""

    samples: int
    float_value: float | None


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """One output of the float model, the pruned one if there is one, the quantized by interpreter.

    Where other steps of compression follow, ``pruned`` is the model after the last pruning.
    ``metric`` and ``float_value`` are None where there is nothing to measure the output against.
    ``sampled`` has the interpreters that ran some of the samples only, on which float is measured
    too, so that both are compared on the same ones.
    """

    metric: str | None
    float_value: float | None
    pruned: Score | None
    quantized: dict[str, Score]
    sampled: Mapping[str, Sampled] = field(default_factory=dict)

    def float_value_on(self, runtime: str) -> float | None:
        """Tell what float reaches on the samples that an interpreter ran."""
        some = self.sampled.get(runtime)
        return some.float_value if some else self.float_value

    def drop(self, runtime: str) -> Drop | None:
        """Tell what quantization costs on an interpreter; None without a metric."""
        score, float_value = self.quantized.get(runtime), self.float_value_on(runtime)
        if self.metric is None or float_value is None or score is None or score.value is None:
            return None
        return drop(find_metric(self.metric), float_value, score.value)

    def to_dict(self, scheme: str) -> dict[str, Any]:
        """Return the fields as report.json names them."""
        return {
            "metric": self.metric,
            "float": self.float_value,
            "pruned": asdict(self.pruned) if self.pruned else None,
            scheme: {name: asdict(score) for name, score in self.quantized.items()},
        } | (
            {"sampled": {name: asdict(some) for name, some in self.sampled.items()}}
            if self.sampled
            else {}
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of each output, by its name.

    ``scheme`` names what the model was quantized to, ``data`` the samples: ``test`` or
    ``representative``.
    """

    scheme: str
    data: str
    samples: int
    outputs: dict[str, OutputComparison]

    def drops(self, runtimes: Iterable[str]) -> dict[str, Drop]:
        """Tell what quantization costs on each interpreter: of the output that it costs most."""
        drops = {
            name: [drop for output in self.outputs.values() if (drop := output.drop(name))]
            for name in runtimes
        }
        return {
            name: max(each, key=lambda drop: drop.amount) for name, each in drops.items() if each
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as report.json names them."""
        return {
            "data": self.data,
            "samples": self.samples,
            "outputs": {name: output.to_dict(self.scheme) for name, output in self.outputs.items()},
        }
