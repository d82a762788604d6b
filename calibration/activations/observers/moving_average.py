"""Moving average: a rare sample moves the range a little only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgepack.calibration.activations.activation_statistics import Statistics


@dataclass(frozen=True)
class MovingAverages:
    """The averages of each sample's least and largest value, the latest samples counting most.

    Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.1, for training; momentum 0.95.
    """

    needs_histogram: ClassVar[bool] = False

    def range(self, seen: Sequence[Statistics]) -> tuple[float, float]:
        """Take the averages."""
        return min(each.lows.value for each in seen), max(each.highs.value for each in seen)
