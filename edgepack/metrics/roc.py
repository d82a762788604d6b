"""Areas under ROC curves, for many weightings of the same samples: they are sorted once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgepack.metrics.metric import Array

_LINES = 64  # of weights at a time, which stay in the processor's cache


def roc_auc(scores: Array, are_positive: Array, weights: Array) -> Array:
    """Compute the probability that a positive sample scores higher than a negative; ties half.

    ``scores`` and ``are_positive`` have shape (samples, columns), ``weights``, whole numbers,
    (resamples, samples); gives (resamples, columns), NaN where no sample is positive, or none
    negative. This is the area under the ROC curve, and the statistic of Mann and Whitney over the
    number of pairs.
    """
    pairs = [_Pairs.of(*each) for each in zip(scores.T, are_positive.T, strict=True)]
    blocks = [np.stack([each.won(counted) for each in pairs], axis=1) for counted in _by(weights)]
    return np.concatenate(blocks)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pairs:
    """Positive and negative samples, the latter by score: as many as ``below`` and ``upto`` tell.

    Those have for each positive sample the number of negatives below it, and of these and equals.
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

    def won(self, counted: Array) -> Array:
        """Compute the fraction of pairs that the positive wins, by line."""
        counts = _from_zero(counted[self.negative].cumsum(axis=0, dtype=counted.dtype))
        won = counts[self.below] + counts[self.upto]
        positives = counted[self.positive].astype(np.float64)
        twice = np.einsum("sl,sl->l", won.astype(np.float64), positives)
        return _ratio(twice, 2 * positives.sum(axis=0) * counts[-1])


def partial_roc_auc(scores: Array, are_positive: Array, weights: Array, most: float) -> Array:
    """Compute the area under the ROC curve up to the false positive rate ``most``, standardized.

    McClish's: 0.5 for chance, 1 for no error ("Analyzing a portion of the ROC curve", 1989).
    ``scores`` and ``are_positive`` have shape (samples,); gives (resamples,), as :func:`roc_auc`.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of equal scores
    hits = are_positive[order, np.newaxis]
    areas = []
    for counted in _by(weights):
        ordered = counted[order]
        y, x = (_rates((ordered * each).cumsum(axis=0)[ends]) for each in (hits, ~hits))
        areas.append(_area(x, y, most))
    area, least = np.concatenate(areas), most**2 / 2
    standardized: Array = (1 + (area - least) / (most - least)) / 2
    return standardized


def _area(x: Array, y: Array, most: float) -> Array:
    """Compute the area under curves (points, lines) from 0 to ``most``, by trapezoids."""
    begin, end = np.minimum(x[:-1], most), np.minimum(x[1:], most)
    share = _ratio(end - x[:-1], x[1:] - x[:-1], of_nothing=1.0)
    top = y[:-1] + (y[1:] - y[:-1]) * share
    area: Array = ((end - begin) * (y[:-1] + top) / 2).sum(axis=0)
    return area


def _by(weights: Array) -> Iterator[Array]:
    """Give some lines of weights at a time, (samples, lines): what is summed lies side by side.

    No line counts more samples than 32 bits do.
    """
    for start in range(0, len(weights), _LINES):
        yield np.ascontiguousarray(weights[start : start + _LINES].T, np.int32)


def _from_zero(counts: Array) -> Array:
    return np.concatenate([np.zeros_like(counts[:1], shape=(1, counts.shape[1])), counts])


def _rates(counts: Array) -> Array:
    """Turn counts so far (scores, lines) into rates of all, from 0 on."""
    return _ratio(_from_zero(counts), counts[-1:])


def _ratio(above: Array, below: Array, of_nothing: float = np.nan) -> Array:
    ratio = np.full(np.broadcast_shapes(above.shape, below.shape), of_nothing)
    return np.divide(above, below, out=ratio, where=below > 0)
