"""Minimal error: the range whose quantization changes the values least (MSE and Lp)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.activation_statistics import Statistics

_LEVELS = 255  # steps of an int8
_FRACTIONS = np.geomspace(0.02, 1.0, 128)
_ROUNDS = 2


@dataclass(frozen=True)
class MinimalError:
    """The range with the least mean of ``|x - q(x)| ** power`` over the values; 2 is the MSE.

    ``q`` is int8's rounding and clipping. Both ends are searched in turn, from a fiftieth of what
    was seen up to all of it. Powers above 2 mind clipped values more (Nahshan et al. 2019,
    https://arxiv.org/abs/1911.07190, compare them). Of activations that share a scale the errors
    are added; of one that is averaged before anything else uses it, little is left: a range that
    clips some of its values may serve the averages better, which are small.
    """

    power: float = 2.0
    needs_histogram: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.power <= 10:  # noqa: PLR2004
            raise ValueError("the power lies between 1 and 10, such as 2.4")

    def range(self, seen: Sequence[Statistics]) -> tuple[float, float]:
        """Search for the least error."""
        known = [each for each in seen if each.histogram and each.histogram.counts.size]
        full = low, high = (
            min(0.0, *(each.min for each in seen)),
            max(0.0, *(each.max for each in seen)),
        )
        if known:
            for _ in range(_ROUNDS):
                high = self._best(known, [(low, full[1] * part) for part in _FRACTIONS])[1]
                low = self._best(known, [(full[0] * part, high) for part in _FRACTIONS])[0]
        least, most = min(each.min for each in seen), max(each.max for each in seen)
        return min(max(low, least), most), max(min(high, most), least)

    def _best(
        self, known: Sequence[Statistics], candidates: Sequence[tuple[float, float]]
    ) -> tuple[float, float]:
        """Choose the range of the least error, the widest if several have it."""
        errors = [sum(self._error(each, low, high) for each in known) for low, high in candidates]
        return candidates[len(errors) - 1 - int(np.argmin(errors[::-1]))]

    def _error(self, seen: Statistics, low: float, high: float) -> float:
        histogram = seen.histogram
        if histogram is None or high <= low:
            return float("inf")
        values = histogram.centers
        error = np.abs(values - fake_quantize(values, low, high)) ** self.power
        # Independent errors: the mean of n is smaller by the square root of n.
        left: float = seen.averaged ** (-self.power / 2)
        return left * float((histogram.counts * error).sum()) / histogram.total


def fake_quantize(values: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    """Round and clip real values as an int8 tensor of this range does; zero stays zero."""
    scale = (high - low) / _LEVELS
    zero_point = np.round(-low / scale)
    quantized = np.clip(np.round(values / scale) + zero_point, 0, _LEVELS)
    rounded: NDArray[np.float64] = (quantized - zero_point) * scale
    return rounded
