"""Scores of models against the float model, and the drop of a metric by quantization."""

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
    """A compressed model, or a quantized one on an interpreter, compared with the float model.

    ``value`` is that of the metric; None if there is no metric, or if it is undefined, such as the
    ROC AUC of a single class. ``agreement`` is the fraction of samples, or of pixels for class
    maps, with the same predicted class; None if outputs are not class scores. ``sqnr_db`` is the
    power of the float outputs over that of the difference, in dB; None if either is zero.
    ``max_abs_error`` and ``mean_abs_error`` are in the unit of the outputs.
    """

    value: float | None
    agreement: float | None
    sqnr_db: float | None
    max_abs_error: float
    mean_abs_error: float


@dataclass(frozen=True, kw_only=True)
class Drop:
    """The drop of a metric by quantization.

    ``amount`` is in percentage points for a fraction such as accuracy, in percent of the float
    model's error for an error, in decibels, or in the unit of the metric. It is negative for a
    gain, and infinite for an error that is 0 for the float model only.
    """

    amount: float
    unit: Unit

    def __str__(self) -> str:
        """Return the drop as a clause.

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
            growth = f"by {self.amount:.2f}%" if math.isfinite(self.amount) else "from 0"
            return f"the error grows {growth}"
        return {
            Unit.FRACTION: f"{self.amount:.2f} points are lost",
            Unit.DECIBELS: f"{self.amount:.2f} dB are lost",
            Unit.PLAIN: f"the metric is worse by {self.amount:.5g}",
        }[self.unit]


_DECIMALS = 9  # 0.92 - 0.90 is slightly more than 0.02 in floating point


def drop(metric: Metric, float_value: float, value: float) -> Drop:
    """Compute the drop of a metric from the float model's value; NaN if either value is."""
    amount = metric_losses(metric, np.array([float_value]), np.array([value])).item()
    return Drop(amount=round(amount, _DECIMALS), unit=metric.unit)


def metric_losses(metric: Metric, float_values: Array, values: Array) -> Array:
    """Compute the losses (n,) from the float model's values (n,), in the unit of :class:`Drop`.

    Infinite for an error that is 0 for the float model only.
    """
    lost = float_values - values if metric.is_more_better else values - float_values
    if metric.unit is Unit.FRACTION:
        return np.asarray(100 * lost)
    if metric.unit is not Unit.ERROR:
        return np.asarray(lost)
    from_zero = np.where(lost == 0, 0.0, np.where(np.isnan(lost), np.nan, np.inf))
    return np.divide(100 * lost, float_values, out=from_zero, where=float_values != 0)


def change_in_words(metric: Metric, float_value: float, value: float) -> str:
    """Format the signed change of a metric from the float model's value.

    >>> change_in_words(find_metric("accuracy"), 0.92, 0.9)
    '-2.00 points'
    >>> change_in_words(find_metric("psnr"), 31.5, 31.0)
    '-0.50 dB'
    >>> mse = find_metric("mse")
    >>> change_in_words(mse, 2.0, 2.5), change_in_words(mse, 0.0, 0.5)
    ('+25.00%', 'from 0')
    """
    amount = drop(metric, float_value, value).amount
    if metric.unit is Unit.ERROR:
        return f"{amount:+.2f}%" if float_value else "from 0"
    return {
        Unit.FRACTION: f"{-amount:+.2f} points",
        Unit.DECIBELS: f"{-amount:+.2f} dB",
        Unit.PLAIN: f"{value - float_value:+.5g}",
    }[metric.unit]


NOT_SCHEMES = ("metric", "float", "pruned", "sampled")
"""The keys of an output in report.json that are not the name of a quantization scheme."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The float model's metric on the ``samples`` that a slow interpreter ran."""

    samples: int
    float_value: float | None


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """The scores of one output: float, pruned (if any), and quantized by interpreter.

    If other compression steps follow, ``pruned`` is the model after the last pruning. ``metric``
    and ``float_value`` are None if there is no ground truth for the output. ``sampled`` lists the
    interpreters that ran only some of the samples, with the float model's metric on these.
    """

    metric: str | None
    float_value: float | None
    pruned: Score | None
    quantized: dict[str, Score]
    sampled: Mapping[str, Sampled] = field(default_factory=dict)

    def float_value_on(self, runtime: str) -> float | None:
        """Return the float model's metric on the samples that an interpreter ran."""
        sampled = self.sampled.get(runtime)
        return sampled.float_value if sampled else self.float_value

    def drop(self, runtime: str) -> Drop | None:
        """Return the drop by quantization on an interpreter; None without a metric."""
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
            {"sampled": {name: asdict(sampled) for name, sampled in self.sampled.items()}}
            if self.sampled
            else {}
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of all outputs, by name.

    ``scheme`` is the name of the quantization scheme; ``data`` is the dataset that was used,
    ``test`` or ``representative``.
    """

    scheme: str
    data: str
    samples: int
    outputs: dict[str, OutputComparison]

    def drops(self, runtimes: Iterable[str]) -> dict[str, Drop]:
        """Return the largest drop of any output on each interpreter that has one."""
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
