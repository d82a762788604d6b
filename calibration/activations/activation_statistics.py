"""Statistics of an activation: a few numbers and a histogram, never the values themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.histogram import Histogram
from edgepack.calibration.activations.peaks import Outlier

MOMENTUM = 0.95
"""Momentum of the moving average: the weight of all earlier samples."""


@dataclass(frozen=True, kw_only=True)
class MovingAverage:
    """An exponential moving average over samples in some order, ``a = m * a + (1 - m) * x``.

    The average starts at the first sample. ``decay`` is ``m ** samples``, and ``rest`` is what the
    samples add to an earlier average. So consecutive chunks of samples can be averaged
    independently and joined in order.
    """

    first: float
    decay: float
    rest: float

    @property
    def value(self) -> float:
        """The average of these samples alone."""
        return self.decay * self.first + self.rest

    def followed_by(self, later: MovingAverage) -> MovingAverage:
        """Return the average over these samples followed by the ``later`` ones."""
        return MovingAverage(
            first=self.first,
            decay=self.decay * later.decay,
            rest=self.rest * later.decay + later.rest,
        )


def moving_average(values: NDArray[Any]) -> MovingAverage:
    """Average values of shape (samples,), one per sample, in order.

    >>> whole = moving_average(np.array([1.0, 3.0, 2.0]))
    >>> parts = moving_average(np.array([1.0])).followed_by(moving_average(np.array([3.0, 2.0])))
    >>> round(whole.value, 6), round(parts.value, 6)
    (1.145, 1.145)
    """
    ages = np.arange(len(values) - 1, -1, -1)
    return MovingAverage(
        first=float(values[0]),
        decay=MOMENTUM ** len(values),
        rest=float(((1 - MOMENTUM) * MOMENTUM**ages * values.astype(np.float64)).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The statistics of one activation over some samples, in the unit of the activation.

    ``lows`` and ``highs`` average the smallest and the largest value of each sample.
    ``histogram`` is None if the observer does not need it. ``averaged`` is how many of the values
    an average pooling, their only consumer, averages into one; 1 if there is none.
    """

    min: float
    max: float
    lows: MovingAverage
    highs: MovingAverage
    histogram: Histogram | None = None
    averaged: float = 1.0

    def clip(self, low: float, high: float) -> tuple[float, float]:
        """Limit the bounds of a range to the observed minimum and maximum."""
        return min(max(low, self.min), self.max), max(min(high, self.max), self.min)

    def followed_by(self, later: Statistics) -> Statistics:
        """Return the statistics of these samples followed by the ``later`` ones.

        Histograms are not joined here: they can be merged in any order.
        """
        return replace(
            self,
            min=min(self.min, later.min),
            max=max(self.max, later.max),
            lows=self.lows.followed_by(later.lows),
            highs=self.highs.followed_by(later.highs),
        )


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How much of the final min-max ranges was still missing after ``samples`` drawn at random.

    ``mean`` and ``largest`` are over all activations, as fractions of each final range, 0 to 1;
    ``activation`` is the one with the largest fraction.
    """

    samples: int
    mean: float
    largest: float
    activation: str


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The statistics of each activation, by name, over ``samples`` samples.

    ``growth`` shows how incomplete the ranges were after fewer samples, in ascending order;
    ``outliers`` has the activations whose range a single sample widens, by name.
    """

    samples: int
    activations: dict[str, Statistics]
    growth: tuple[Growth, ...]
    outliers: dict[str, Outlier] = field(default_factory=dict)
