"""Areas under ROC curves, for many weightings of the same samples: they are sorted once."""

from __future__ import annotations

import numpy as np

from edgepack.metrics.metric import Array


def roc_auc(scores: Array, are_positive: Array, weights: Array) -> Array:
    """Compute the probability that a positive sample scores higher than a negative; ties half.

    ``scores`` and ``are_positive`` have shape (samples,), ``weights`` (resamples, samples); gives
    (resamples,), NaN where no sample is positive, or none negative. This is the area under the ROC
    curve, and the statistic of Mann and Whitney over the number of pairs.
    """
    negative = np.flatnonzero(~are_positive)
    negative = negative[np.argsort(scores[negative], kind="stable")]
    high, low = scores[are_positive], scores[negative]
    positives = weights[:, are_positive].astype(np.float64)
    counts = np.zeros((len(weights), len(negative) + 1))  # of negatives below each
    np.cumsum(weights[:, negative], axis=1, dtype=np.float64, out=counts[:, 1:])
    won = counts[:, np.searchsorted(low, high, "left")]
    won += counts[:, np.searchsorted(low, high, "right")]
    pairs = positives.sum(axis=1) * counts[:, -1]
    return _ratio(np.einsum("rs,rs->r", won, positives) / 2, pairs)


def partial_roc_auc(scores: Array, are_positive: Array, weights: Array, most: float) -> Array:
    """Compute the area under the ROC curve up to the false positive rate ``most``, standardized.

    McClish's: 0.5 for chance, 1 for no error ("Analyzing a portion of the ROC curve", 1989).
    Shapes are as for :func:`roc_auc`.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of equal scores
    counted, hits = weights[:, order].astype(np.float64), are_positive[order]
    y, x = (_rates((counted * each).cumsum(axis=1)[:, ends]) for each in (hits, ~hits))
    begin, end = np.minimum(x[:, :-1], most), np.minimum(x[:, 1:], most)
    share = _ratio(end - x[:, :-1], x[:, 1:] - x[:, :-1], of_nothing=1.0)
    top = y[:, :-1] + (y[:, 1:] - y[:, :-1]) * share
    area = ((end - begin) * (y[:, :-1] + top) / 2).sum(axis=1)
    least = most**2 / 2
    standardized: Array = (1 + (area - least) / (most - least)) / 2
    return standardized


def _rates(counts: Array) -> Array:
    """Turn counts so far (resamples, scores) into rates of all that start at 0."""
    rates = _ratio(counts, counts[:, -1:])
    return np.concatenate([np.where(np.isnan(rates[:, :1]), np.nan, 0.0), rates], axis=1)


def _ratio(above: Array, below: Array, of_nothing: float = np.nan) -> Array:
    ratio = np.full(np.broadcast_shapes(above.shape, below.shape), of_nothing)
    return np.divide(above, below, out=ratio, where=below > 0)
