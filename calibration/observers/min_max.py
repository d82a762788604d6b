"""Min-max: nothing is clipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgepack.calibration.statistics import Statistics


@dataclass(frozen=True)
class MinMax:
    """The least and the largest value that were seen, as TensorFlow Lite's converter takes them."""

    needs_histogram: ClassVar[bool] = False

    def range(self, seen: Statistics) -> tuple[float, float]:
        """Take all that was seen."""
        return seen.min, seen.max
