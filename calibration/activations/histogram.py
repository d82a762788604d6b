"""A histogram of an activation that can grow, and be merged, without losing exactness.

Its bins are as wide as a power of two and aligned with zero: bin ``i`` counts the values from
``i * 2**exponent`` up to ``(i + 1) * 2**exponent``. If values come to lie beyond what the bins can
hold, the exponent grows by one and neighbours are added up, which puts every value into the bin
that it would have fallen into from the start. So the result depends on the values alone, not on
their order, nor on how they were shared out among processes. Exact zeros, of which ReLU makes
many, are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BINS = 4096
"""At least half as many are in use: eight bins and more for each step of an int8."""

_MANTISSA_BITS = 23  # of float32
_MAX_SHIFT = 63  # of int64
_SMALLEST_EXPONENT = -120  # float32 ends at 2**-126: widths below are of no use, and of no size


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Where a histogram's bins lie, and how many there are: all but their counts."""

    exponent: int
    first: int
    bins: int
    zeros: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Counts (int64) of the bins ``first``, ``first + 1``, ...; ``zeros`` are not among them."""

    exponent: int
    first: int
    counts: NDArray[np.int64]
    zeros: int

    @property
    def extent(self) -> Extent:
        """All but the counts."""
        return Extent(
            exponent=self.exponent, first=self.first, bins=len(self.counts), zeros=self.zeros
        )

    @property
    def width(self) -> float:
        """The width of a bin, in the unit of the activation."""
        return float(2.0**self.exponent)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges of the bins, one more than there are bins."""
        return (self.first + np.arange(len(self.counts) + 1)) * self.width

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middles of the bins."""
        return (self.first + np.arange(len(self.counts)) + 0.5) * self.width

    @property
    def total(self) -> int:
        """How many values there are, zeros among them."""
        return int(self.counts.sum()) + self.zeros

    def bins(self, exponent: int) -> NDArray[np.int64]:
        """Number the bins as they would be with a larger exponent."""
        own = self.first + np.arange(len(self.counts), dtype=np.int64)
        return own >> min(exponent - self.exponent, _MAX_SHIFT)

    def merged(self, other: Histogram) -> Histogram:
        """Add another histogram.

        >>> few = histogram(np.array([0.5, 3.0], np.float32))
        >>> many = histogram(np.array([-100.0, 0.0], np.float32))
        >>> both = histogram(np.array([0.5, 3.0, -100.0, 0.0], np.float32))
        >>> merged = few.merged(many)
        >>> (merged.exponent, merged.first, merged.zeros) == (both.exponent, both.first, 1)
        True
        """
        if not len(self.counts) or not len(other.counts):
            longer = self if len(self.counts) else other
            return Histogram(
                exponent=longer.exponent,
                first=longer.first,
                counts=longer.counts,
                zeros=self.zeros + other.zeros,
            )
        exponent = max(self.exponent, other.exponent)
        first, last = _bounds((self, other), exponent)
        while last - first >= MAX_BINS:
            exponent += 1
            first, last = _bounds((self, other), exponent)
        counts = np.zeros(last - first + 1, np.int64)
        for each in (self, other):
            np.add.at(counts, each.bins(exponent) - first, each.counts)
        return Histogram(
            exponent=exponent, first=first, counts=counts, zeros=self.zeros + other.zeros
        )


EMPTY = Histogram(exponent=_SMALLEST_EXPONENT, first=0, counts=np.zeros(0, np.int64), zeros=0)


def histogram(values: NDArray[Any]) -> Histogram:
    """Count finite values (float32, any shape)."""
    flat = values.ravel()
    some = flat[flat != 0]
    zeros = flat.size - some.size
    if not some.size:
        return Histogram(exponent=EMPTY.exponent, first=0, counts=EMPTY.counts, zeros=zeros)
    least, most = float(some.min()), float(some.max())
    exponent = _exponent(least, most)
    first, last = _bin(least, exponent), _bin(most, exponent)
    # Scaling by a power of two is exact in float64, so the bins are right to the last bit.
    bins = np.floor(np.multiply(some, 2.0**-exponent, dtype=np.float64)).astype(np.int64) - first
    counts = np.bincount(bins, minlength=last - first + 1)
    return Histogram(exponent=exponent, first=first, counts=counts, zeros=zeros)


def _exponent(least: float, most: float) -> int:
    """Find the smallest exponent whose bins hold the values, no finer than float32 is."""
    finest = int(np.floor(np.log2(max(abs(least), abs(most))))) - _MANTISSA_BITS
    exponent = max(finest, _SMALLEST_EXPONENT)
    if most > least:
        exponent = max(exponent, int(np.floor(np.log2((most - least) / MAX_BINS))))
    while _bin(most, exponent) - _bin(least, exponent) >= MAX_BINS:
        exponent += 1
    return exponent


def _bin(value: float, exponent: int) -> int:
    return int(np.floor(value * 2.0**-exponent))


def _bounds(several: tuple[Histogram, ...], exponent: int) -> tuple[int, int]:
    """Find the first and the last bin in use, were the exponent the given one."""
    ends = [each.bins(exponent)[[0, -1]] for each in several]
    return int(min(first for first, _ in ends)), int(max(last for _, last in ends))
