"""Moving average: a single outlier changes the range only a little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgepack.calibration.activations.activation_statistics import Statistics


@dataclass(frozen=True)
class MovingAverages:
    """Moving averages of each sample's smallest and largest value, with momentum 0.95.

    Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.1, use them in training.
    """

    needs_histogram: ClassVar[bool] = False

    def range(self, statistics: Sequence[Statistics]) -> tuple[float, float]:
        """Return the averages; of several activations, the widest range."""
        return (
            min(each.lows.value for each in statistics),
            max(each.highs.value for each in statistics),
        )
