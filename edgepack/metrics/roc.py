"""ROC AUC under many weightings of the same samples, which are sorted only once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgepack.metrics.metric import Array

_WEIGHTS_PER_BLOCK = 1 << 17  # few enough to stay in the processor's cache


def roc_auc(scores: Array, are_positive: Array, weights: Array) -> Array:
    """Compute the area under the ROC curve of each column, for each resample.

    ``scores`` and ``are_positive`` have shape (samples, columns), the integer ``weights``
    (resamples, samples). Returns (resamples, columns), NaN where no sample is positive, or none
    negative.

    The area is the probability that a positive sample scores higher than a negative one, where ties
    count half: the Mann-Whitney U statistic divided by the number of pairs.
    """
    columns = [_Pairs.of(*each) for each in zip(scores.T, are_positive.T, strict=True)]
    blocks = [
        np.stack([pairs.fraction_won(block) for pairs in columns], axis=1)
        for block in _weight_blocks(weights)
    ]
    return np.concatenate(blocks)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pairs:
    """Indices of the positive samples, and of the negative ones sorted by score.

    For each positive sample, ``below`` is the number of negatives with a lower score, and ``upto``
    that of negatives with a lower or equal score.
    """

    positive: Array
    negative: Array
    below: Array
    upto: Array

    @classmethod
    def of(cls, scores: Array, are_positive: Array) -> _Pairs:
        negative = np.flatnonzero(~are_positive)
        negative = negative[np.argsort(scores[negative], kind="stable")]
        low, high = scores[negative], scores[are_positive]
        return cls(
            positive=np.flatnonzero(are_positive),
            negative=negative,
            below=np.searchsorted(low, high, "left"),
            upto=np.searchsorted(low, high, "right"),
        )

    def fraction_won(self, weights: Array) -> Array:
        """Compute the fraction of pairs in which the positive scores higher, ties counting half.

        Takes weights (samples, resamples) and returns (resamples,).
        """
        counts = _prepend_zero(weights[self.negative].cumsum(axis=0, dtype=weights.dtype))
        twice_won = counts[self.below] + counts[self.upto]
        positives = weights[self.positive].astype(np.float64)
        total = np.einsum("sl,sl->l", twice_won.astype(np.float64), positives)
        return _ratio(total, 2 * positives.sum(axis=0) * counts[-1])


def partial_roc_auc(scores: Array, are_positive: Array, weights: Array, max_fpr: float) -> Array:
    """Compute the standardized area under the ROC curve up to a false positive rate ``max_fpr``.

    Standardized as by McClish, "Analyzing a portion of the ROC curve" (1989): 0.5 for chance, 1 for
    a perfect classifier. ``scores`` and ``are_positive`` have shape (samples,), ``weights``
    (resamples, samples). Returns (resamples,), NaN as in :func:`roc_auc`.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_equal = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive = are_positive[order, np.newaxis]
    areas = []
    for block in _weight_blocks(weights):
        ordered = block[order]
        tpr, fpr = (
            _cumulative_rates((ordered * mask).cumsum(axis=0)[last_of_equal])
            for mask in (positive, ~positive)
        )
        areas.append(_area(fpr, tpr, max_fpr))
    area, chance = np.concatenate(areas), max_fpr**2 / 2
    standardized: Array = (1 + (area - chance) / (max_fpr - chance)) / 2
    return standardized


def _area(x: Array, y: Array, max_x: float) -> Array:
    """Compute the area under curves (points, lines) from 0 to ``max_x`` by the trapezoidal rule."""
    begin, end = np.minimum(x[:-1], max_x), np.minimum(x[1:], max_x)
    share = _ratio(end - x[:-1], x[1:] - x[:-1], default=1.0)
    end_y = y[:-1] + (y[1:] - y[:-1]) * share
    area: Array = ((end - begin) * (y[:-1] + end_y) / 2).sum(axis=0)
    return area


def _weight_blocks(weights: Array) -> Iterator[Array]:
    """Yield some lines of weights at a time as int32 (samples, lines).

    They are transposed so that sums over samples run over contiguous memory. The samples of a line
    can be counted in 32 bits.
    """
    lines = max(1, _WEIGHTS_PER_BLOCK // weights.shape[1])
    for start in range(0, len(weights), lines):
        yield np.ascontiguousarray(weights[start : start + lines].T, np.int32)


def _prepend_zero(counts: Array) -> Array:
    return np.concatenate([np.zeros_like(counts[:1], shape=(1, counts.shape[1])), counts])


def _cumulative_rates(counts: Array) -> Array:
    """Divide cumulative counts (scores, lines) by their totals, and prepend 0."""
    return _ratio(_prepend_zero(counts), counts[-1:])


def _ratio(numerator: Array, denominator: Array, default: float = np.nan) -> Array:
    """Divide; ``default`` where the denominator is 0."""
    ratio = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), default)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
