"""Entropy: the threshold whose quantized distribution diverges least from the original one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.activation_statistics import Statistics
from edgepack.calibration.activations.histogram import Histogram

_LEVELS_ONE_SIDED = 256
_LEVELS_TWO_SIDED = 128
_CANDIDATES = 128
_MIN_COUNT = 1e-4  # of the last bin, if it has nothing but clipped values


@dataclass(frozen=True)
class Entropy:
    """The threshold on magnitudes with the least Kullback-Leibler divergence.

    Migacz 2017, "8-bit Inference with TensorRT" (GTC S7310): the histogram of magnitudes up to a
    threshold, with all values beyond added to its last bin, is compared with the same values in as
    many levels as int8 has. Zeros are left out: they are exact in both.
    """

    needs_histogram: ClassVar[bool] = True

    def range(self, statistics: Sequence[Statistics]) -> tuple[float, float]:
        """Clip the observed range at the threshold, on both sides; return the widest of several."""
        ranges = [self._range(each) for each in statistics]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def _range(self, statistics: Statistics) -> tuple[float, float]:
        if statistics.histogram is None or not len(statistics.histogram.counts):
            return statistics.min, statistics.max
        is_two_sided = statistics.min < 0 < statistics.max
        counts = _magnitudes(statistics.histogram)
        levels = _LEVELS_TWO_SIDED if is_two_sided else _LEVELS_ONE_SIDED
        sizes = np.unique(np.linspace(levels, len(counts), _CANDIDATES).astype(int))
        if len(counts) <= levels:
            return statistics.min, statistics.max
        divergences = [_divergence(counts, size, levels) for size in sizes]
        # Of several equal divergences, the widest range.
        best = sizes[len(sizes) - 1 - int(np.argmin(divergences[::-1]))]
        threshold = float(best * statistics.histogram.width)
        return statistics.clip(-threshold, threshold)


def _magnitudes(histogram: Histogram) -> NDArray[Any]:
    """Return the counts by magnitude: negative bins are added to the positive ones."""
    bins = histogram.first + np.arange(len(histogram.counts))
    folded = np.where(bins < 0, -bins - 1, bins)
    return np.bincount(folded, weights=histogram.counts)


def _divergence(counts: NDArray[Any], size: int, levels: int) -> float:
    """Compute the divergence of the first ``size`` bins from their quantization to ``levels``."""
    inside = counts[:size]
    clipped = inside.copy()
    clipped[-1] += counts[size:].sum()
    level = np.arange(size) * levels // size
    filled = inside > 0
    sums = np.bincount(level, weights=inside, minlength=levels)
    fills = np.bincount(level, weights=filled, minlength=levels)
    # The values of each level, spread evenly over its non-empty bins.
    quantized = np.where(filled, sums[level] / np.maximum(fills[level], 1), 0.0)
    quantized[-1] = max(quantized[-1], _MIN_COUNT)
    support = clipped > 0
    # Both are divided by the same total: the levels lack the values beyond the threshold.
    p, q = clipped[support] / clipped.sum(), quantized[support] / clipped.sum()
    return float((p * np.log(p / q) - p + q).sum())
