"""Entropy: the threshold whose quantized distribution tells most of the original one."""

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
_SOME = 1e-4  # of a value, in a last bin that is empty but for what was clipped


@dataclass(frozen=True)
class Entropy:
    """The threshold on magnitudes with the least Kullback-Leibler divergence.

    Migacz 2017, "8-bit Inference with TensorRT" (GTC S7310): the histogram of magnitudes up to a
    threshold, what lies beyond added to its last bin, against the same values in as many levels
    as int8 has. Zeros are left out: they are exact in both.
    """

    needs_histogram: ClassVar[bool] = True

    def range(self, seen: Sequence[Statistics]) -> tuple[float, float]:
        """Clip what was seen at the threshold, on both sides; the widest of several."""
        ranges = [self._range(each) for each in seen]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def _range(self, seen: Statistics) -> tuple[float, float]:
        if seen.histogram is None or not len(seen.histogram.counts):
            return seen.min, seen.max
        two_sided = seen.min < 0 < seen.max
        counts = _magnitudes(seen.histogram)
        levels = _LEVELS_TWO_SIDED if two_sided else _LEVELS_ONE_SIDED
        sizes = np.unique(np.linspace(levels, len(counts), _CANDIDATES).astype(int))
        if len(counts) <= levels:
            return seen.min, seen.max
        divergences = [_divergence(counts, size, levels) for size in sizes]
        # The widest of equals.
        best = sizes[len(sizes) - 1 - int(np.argmin(divergences[::-1]))]
        threshold = float(best * seen.histogram.width)
        return seen.clip(-threshold, threshold)


def _magnitudes(histogram: Histogram) -> NDArray[Any]:
    """Fold the bins of negative values over those of positive ones."""
    bins = histogram.first + np.arange(len(histogram.counts))
    folded = np.where(bins < 0, -bins - 1, bins)
    return np.bincount(folded, weights=histogram.counts)


def _divergence(counts: NDArray[Any], size: int, levels: int) -> float:
    """Compute the divergence of the first ``size`` bins from themselves in ``levels`` levels."""
    inside = counts[:size]
    wanted = inside.copy()
    wanted[-1] += counts[size:].sum()
    level = np.arange(size) * levels // size
    filled = inside > 0
    sums = np.bincount(level, weights=inside, minlength=levels)
    fills = np.bincount(level, weights=filled, minlength=levels)
    # Each level's values, spread over those of its bins that hold any.
    given = np.where(filled, sums[level] / np.maximum(fills[level], 1), 0.0)
    given[-1] = max(given[-1], _SOME)
    here = wanted > 0
    # Both by the same total: what lies beyond the threshold is missing in the levels.
    p, q = wanted[here] / wanted.sum(), given[here] / wanted.sum()
    return float((p * np.log(p / q) - p + q).sum())
