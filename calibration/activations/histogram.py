"""Histograms of activations that can grow and be merged exactly.

The width of the bins is a power of two, and they are aligned with zero: bin ``i`` counts the values
from ``i * 2**exponent`` up to ``(i + 1) * 2**exponent``. If the values no longer fit the bins, the
exponent is increased and pairs of bins are added up, which puts every value into the bin it would
have been in from the start. So the result depends on the values alone, not on their order, nor on
how they are distributed among processes. Exact zeros, of which ReLU makes many, are counted
separately.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BINS = 4096
"""At least half of them are in use: eight or more bins for each int8 step."""

_MANTISSA_BITS = 23  # of float32
_MAX_SHIFT = 63  # of int64
_MIN_EXPONENT = -120  # the smallest normal float32 is 2**-126: narrower bins are useless


@dataclass(frozen=True, kw_only=True)
class Extent:
    """A histogram without the counts: where its bins are, their number, and the zeros."""

    exponent: int
    first: int
    bins: int
    zeros: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Counts (bins,) of the bins ``first``, ``first + 1``, ...; ``zeros`` are not included."""

    exponent: int
    first: int
    counts: NDArray[np.int64]
    zeros: int

    @property
    def extent(self) -> Extent:
        """The histogram without the counts."""
        return Extent(
            exponent=self.exponent, first=self.first, bins=len(self.counts), zeros=self.zeros
        )

    @property
    def width(self) -> float:
        """The width of a bin, in the unit of the activation."""
        return float(2.0**self.exponent)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges of the bins, shape (bins + 1,), in the unit of the activation."""
        return (self.first + np.arange(len(self.counts) + 1, dtype=np.float64)) * self.width

    @property
    def centers(self) -> NDArray[np.float64]:
        """The centers of the bins, shape (bins,), in the unit of the activation."""
        return (self.first + np.arange(len(self.counts), dtype=np.float64) + 0.5) * self.width

    @property
    def total(self) -> int:
        """The number of values, zeros included."""
        return int(self.counts.sum()) + self.zeros

    def bins(self, exponent: int) -> NDArray[np.int64]:
        """Return the indices of the bins at the same or a larger exponent, shape (bins,)."""
        own = self.first + np.arange(len(self.counts), dtype=np.int64)
        return own >> min(exponent - self.exponent, _MAX_SHIFT)

    def merged(self, other: Histogram) -> Histogram:
        """Return the sum of this histogram and another one.

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


EMPTY = Histogram(exponent=_MIN_EXPONENT, first=0, counts=np.zeros(0, np.int64), zeros=0)


def histogram(values: NDArray[Any]) -> Histogram:
    """Return the histogram of finite values (float32, any shape)."""
    flat = values.ravel()
    nonzero = flat[flat != 0]
    zeros = flat.size - nonzero.size
    if not nonzero.size:
        return Histogram(exponent=EMPTY.exponent, first=0, counts=EMPTY.counts, zeros=zeros)
    low, high = float(nonzero.min()), float(nonzero.max())
    exponent = _exponent(low, high)
    first, last = _bin(low, exponent), _bin(high, exponent)
    # Scaling by a power of two is exact in float64, so every value gets into exactly its bin.
    scaled = np.multiply(nonzero, 2.0**-exponent, dtype=np.float64)
    bins = np.floor(scaled).astype(np.int64) - first
    counts = np.bincount(bins, minlength=last - first + 1)
    return Histogram(exponent=exponent, first=first, counts=counts, zeros=zeros)


def _exponent(low: float, high: float) -> int:
    """Return the smallest exponent whose bins hold the range, but no finer than float32."""
    finest = int(np.floor(np.log2(max(abs(low), abs(high))))) - _MANTISSA_BITS
    exponent = max(finest, _MIN_EXPONENT)
    if high > low:
        exponent = max(exponent, int(np.floor(np.log2((high - low) / MAX_BINS))))
    while _bin(high, exponent) - _bin(low, exponent) >= MAX_BINS:
        exponent += 1
    return exponent


def _bin(value: float, exponent: int) -> int:
    return int(np.floor(value * 2.0**-exponent))


def _bounds(histograms: tuple[Histogram, ...], exponent: int) -> tuple[int, int]:
    """Return the indices of the first and the last bin in use at an exponent."""
    bounds = [each.bins(exponent)[[0, -1]] for each in histograms]
    return int(min(first for first, _ in bounds)), int(max(last for _, last in bounds))
