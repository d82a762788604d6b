"""Minimal error: the range with the smallest quantization error (MSE and Lp)."""

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
    """The range with the smallest mean of ``|x - q(x)| ** power``; power 2 is the MSE.

    ``q`` is int8's rounding and clipping. Both bounds are searched in turn, from 1/50 of the
    observed bound up to all of it. Powers above 2 penalize clipping more (Nahshan et al. 2019,
    https://arxiv.org/abs/1911.07190, compare them). The errors of activations that share a scale
    are added. Values that are only used by an average pooling weigh less, because their errors
    average out: a range that clips some of them may suit the averages, which are smaller, better.
    """

    power: float = 2.0
    needs_histogram: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.power <= 10:  # noqa: PLR2004
            raise ValueError("the power must be between 1 and 10, such as 2.4")

    def range(self, statistics: Sequence[Statistics]) -> tuple[float, float]:
        """Search for the range with the smallest error."""
        nonzero = [each for each in statistics if each.histogram and each.histogram.counts.size]
        full = low, high = (
            min(0.0, *(each.min for each in statistics)),
            max(0.0, *(each.max for each in statistics)),
        )
        if nonzero:
            for _ in range(_ROUNDS):
                high = self._best(nonzero, [(low, full[1] * part) for part in _FRACTIONS])[1]
                low = self._best(nonzero, [(full[0] * part, high) for part in _FRACTIONS])[0]
        minimum = min(each.min for each in statistics)
        maximum = max(each.max for each in statistics)
        return min(max(low, minimum), maximum), max(min(high, maximum), minimum)

    def _best(
        self, statistics: Sequence[Statistics], candidates: Sequence[tuple[float, float]]
    ) -> tuple[float, float]:
        """Return the range with the smallest error, the widest if several have it."""
        errors = [
            sum(self._error(each, low, high) for each in statistics) for low, high in candidates
        ]
        return candidates[len(errors) - 1 - int(np.argmin(errors[::-1]))]

    def _error(self, statistics: Statistics, low: float, high: float) -> float:
        histogram = statistics.histogram
        if histogram is None or high <= low:
            return float("inf")
        values = histogram.centers
        error = np.abs(values - fake_quantize(values, low, high)) ** self.power
        # The mean of n independent errors is smaller by the square root of n.
        weight: float = statistics.averaged ** (-self.power / 2)
        return weight * float((histogram.counts * error).sum()) / histogram.total


def fake_quantize(values: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    """Round and clip values (any shape) to what an int8 tensor of this range represents.

    The range must include zero, which stays exact.
    """
    scale = (high - low) / _LEVELS
    zero_point = np.round(-low / scale)
    quantized = np.clip(np.round(values / scale) + zero_point, 0, _LEVELS)
    rounded: NDArray[np.float64] = (quantized - zero_point) * scale
    return rounded
