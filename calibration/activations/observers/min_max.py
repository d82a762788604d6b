"""Min-max: nothing is clipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgepack.calibration.activations.activation_statistics import Statistics


@dataclass(frozen=True)
class MinMax:
    """The least and the largest value that were seen, as TensorFlow Lite's converter takes them."""

    needs_histogram: ClassVar[bool] = False

    def range(self, seen: Sequence[Statistics]) -> tuple[float, float]:
        """Take all that was seen."""
        return min(each.min for each in seen), max(each.max for each in seen)
