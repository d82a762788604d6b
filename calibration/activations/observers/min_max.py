"""Min-max: nothing is clipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgepack.calibration.activations.activation_statistics import Statistics


@dataclass(frozen=True)
class MinMax:
    """The smallest and the largest observed value, as TensorFlow Lite's converter uses them."""

    needs_histogram: ClassVar[bool] = False

    def range(self, statistics: Sequence[Statistics]) -> tuple[float, float]:
        """Return the whole observed range."""
        return min(each.min for each in statistics), max(each.max for each in statistics)
