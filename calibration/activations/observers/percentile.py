"""Percentile: a fixed fraction of the values is clipped on either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgepack.calibration.activations.activation_statistics import Statistics


@dataclass(frozen=True)
class Percentile:
    """The range that ``percent`` of the values do not exceed, on either side.

    It harms small networks, whose largest values are often those that discriminate the classes.
    """

    percent: float = 99.99
    needs_histogram: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 50 < self.percent <= 100:  # noqa: PLR2004
            raise ValueError("a percentile must be above 50 and at most 100, such as 99.99")

    def range(self, statistics: Sequence[Statistics]) -> tuple[float, float]:
        """Interpolate within the bins of the histograms; return the widest of several ranges."""
        ranges = [self._range(each) for each in statistics]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def _range(self, statistics: Statistics) -> tuple[float, float]:
        histogram = statistics.histogram
        if histogram is None or not histogram.total:
            return statistics.min, statistics.max
        edges = histogram.edges
        below = np.concatenate([[0], np.cumsum(histogram.counts)])
        below += np.where(edges > 0, histogram.zeros, 0)
        total = histogram.total
        low, high = (
            float(np.interp(fraction * total, below, edges))
            for fraction in (1 - self.percent / 100, self.percent / 100)
        )
        return statistics.clip(low, high)
