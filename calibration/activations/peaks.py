"""The samples with the largest values, and whether one of them is a lone outlier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEPT = 22  # twenty differences besides the first: Hill's estimate then has an error of 22%
_MIN_SPACINGS = 8  # besides the first: of fewer, its error is above 35%

_MAX_PROBABILITY = 1e-4
"""Of a finding in the heaviest tails without an outlier; in others it is far smaller."""

_MIN_WIDENING = 4.0  # two of eight bits are lost


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A ``value`` of one ``sample`` that is far beyond those of all others.

    ``low`` and ``high`` are the range of the other samples, with zero, in the same unit.
    """

    sample: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Peaks:
    """The largest values of several quantities, such as activations, and the samples they are of.

    ``values`` and ``samples`` have shape (quantities, 2, kept): the first side has the samples'
    minima, negated, the second their maxima, each in descending order. Places without a sample have
    the value -inf.
    """

    values: NDArray[np.float64]
    samples: NDArray[np.int64]

    @classmethod
    def none(cls, quantities: int) -> Peaks:
        """Return the peaks of no samples."""
        shape = (quantities, 2, _KEPT)
        return cls(values=np.full(shape, -np.inf), samples=np.zeros(shape, np.int64))

    @classmethod
    def of(cls, lows: NDArray[Any], highs: NDArray[Any], samples: NDArray[np.int64]) -> Peaks:
        """Return those of each sample's minimum and maximum, both (quantities, samples)."""
        values = np.stack([-lows.astype(np.float64), highs.astype(np.float64)], axis=1)
        whole = cls(values=values, samples=np.broadcast_to(samples, values.shape))
        return cls.none(len(lows)).merged(whole)

    def merged(self, other: Peaks) -> Peaks:
        """Return the peaks of the samples of both, in whatever order they are merged."""
        values = np.concatenate([self.values, other.values], axis=-1)
        samples = np.concatenate([self.samples, other.samples], axis=-1)
        order = np.lexsort((samples, -values), axis=-1)[..., :_KEPT]
        return Peaks(
            values=np.take_along_axis(values, order, axis=-1),
            samples=np.take_along_axis(samples, order, axis=-1),
        )

    def outlier(self, quantity: int) -> Outlier | None:
        """Return the lone outlier of a quantity that makes its range four times as wide, if any."""
        whole = self._range(quantity, without=-1)
        for side, sign in enumerate((-1, 1)):
            sample = int(self.samples[quantity, side, 0])
            low, high = self._range(quantity, without=sample)
            width = whole[1] - whole[0]
            if (
                width >= _MIN_WIDENING * (high - low) > 0
                and _probability(self.values[quantity, side]) <= _MAX_PROBABILITY
            ):
                value = sign * float(self.values[quantity, side, 0])
                return Outlier(sample=sample, value=value, low=low, high=high)
        return None

    def _range(self, quantity: int, without: int) -> tuple[float, float]:
        """Return the range, with zero, of all samples but one."""
        lowest, highest = (
            next(
                float(value)
                for value, sample in zip(
                    self.values[quantity, side], self.samples[quantity, side], strict=True
                )
                if sample != without or value == -np.inf
            )
            for side in (0, 1)
        )
        return min(-lowest, 0.0), max(highest, 0.0)


def _probability(peaks: NDArray[np.float64]) -> float:
    """Return the probability that the first of some peaks is so far beyond the others by chance.

    Whatever the power of a heavy tail, the logarithms of its i-th and next largest values differ by
    1/i times independent exponential variables of one mean (Renyi 1953, "On the theory of order
    statistics"). Hill's estimate of that mean (1975) leaves the first out here, so that the ratio
    of the two has Fisher's distribution, with 2 and twice as many degrees of freedom as there are
    other differences. Tails that are not heavy have smaller differences at the end. 1.0 for too
    few samples.
    """
    logarithms = np.log(peaks[peaks > 0])
    spacings = (logarithms[:-1] - logarithms[1:]) * np.arange(1, len(logarithms))
    count = len(spacings) - 1
    if count < _MIN_SPACINGS:
        return 1.0
    first, mean = float(spacings[0]), float(spacings[1:].mean())
    if mean == 0:
        return 0.0 if first > 0 else 1.0
    return float((1 + first / mean / count) ** -count)
