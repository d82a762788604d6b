"""What is kept of an activation's values: a few numbers and a histogram, never the values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.histogram import Histogram

MOMENTUM = 0.95
"""Of the moving average: the weight of what was seen before a sample."""


@dataclass(frozen=True, kw_only=True)
class MovingAverage:
    """An exponential moving average over samples in their order, ``a = m * a + (1 - m) * x``.

    It begins with the first sample. ``decay`` is ``m ** samples`` and ``rest`` what the samples
    add to a value that came before them, so that stretches of samples can be seen apart from each
    other and joined in order.
    """

    first: float
    decay: float
    rest: float

    @property
    def value(self) -> float:
        """The average if nothing came before."""
        return self.decay * self.first + self.rest

    def then(self, later: MovingAverage) -> MovingAverage:
        """Join the samples that follow."""
        return MovingAverage(
            first=self.first,
            decay=self.decay * later.decay,
            rest=self.rest * later.decay + later.rest,
        )


def moving_average(values: NDArray[Any]) -> MovingAverage:
    """Average one value a sample, in order.

    >>> whole = moving_average(np.array([1.0, 3.0, 2.0]))
    >>> parts = moving_average(np.array([1.0])).then(moving_average(np.array([3.0, 2.0])))
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
    """One activation over some samples, in the unit of the activation.

    ``lows`` and ``highs`` average the smallest and the largest value of each sample.
    ``histogram`` is None where no observer asked for it. So many of the values as ``averaged``
    says are averaged into one before anything else uses them.
    """

    min: float
    max: float
    lows: MovingAverage
    highs: MovingAverage
    histogram: Histogram | None = None
    averaged: float = 1.0

    def clip(self, low: float, high: float) -> tuple[float, float]:
        """Bring the ends of a range to within what was seen."""
        return min(max(low, self.min), self.max), max(min(high, self.max), self.min)

    def then(self, later: Statistics) -> Statistics:
        """Join the samples that follow; histograms are joined apart, for their order is free."""
        return replace(
            self,
            min=min(self.min, later.min),
            max=max(self.max, later.max),
            lows=self.lows.then(later.lows),
            highs=self.highs.then(later.highs),
        )


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How much of the activations' final min-max ranges the first ``samples`` had not shown yet.

    ``mean`` and ``largest`` are fractions of a range, over all activations; ``activation`` is the
    one that grew most.
    """

    samples: int
    mean: float
    largest: float
    activation: str


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was seen of each activation, by name, over so many samples.

    ``growth`` tells how far from the end the ranges were after fewer samples.
    """

    samples: int
    activations: dict[str, Statistics]
    growth: tuple[Growth, ...]
