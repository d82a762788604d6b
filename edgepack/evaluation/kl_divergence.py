"""Kullback-Leibler divergences of outputs, in nats."""

from __future__ import annotations

import numpy as np

from edgepack.evaluation.paired_outputs import Array

BINS = 128
"""Of the histograms of values."""

_TINY = float(np.finfo(np.float64).tiny)
_SMOOTHING = 0.5


def divergences(ours: Array, theirs: Array, *, are_logits: bool, floor: float) -> Array:
    """Compute the divergence of the float model's class probabilities from another's.

    Takes scores (..., classes) and gives (...): the sum of ``p log(p / q)``. Logits go through
    softmax; a lone one through the logistic function, whose complement is the other class.
    Probabilities of the other model below ``floor`` count as that, for an integer 0 stands for
    all that is less than half a step; then both are scaled to a sum of 1.
    """
    from scipy.special import rel_entr

    p = _probabilities(ours, are_logits=are_logits, floor=0.0)
    q = _probabilities(theirs, are_logits=are_logits, floor=0.0 if are_logits else floor)
    found: Array = rel_entr(p, q).sum(axis=-1)
    return np.maximum(found, 0.0)  # rounding may leave a little less


def _probabilities(scores: Array, *, are_logits: bool, floor: float) -> Array:
    """Turn scores (..., classes) into probabilities, none of which is quite 0."""
    from scipy.special import expit, softmax

    scores = scores.astype(np.float64)
    if scores.shape[-1] == 1:
        yes = expit(scores) if are_logits else scores
        no = expit(-scores) if are_logits else 1 - scores
        scores = np.concatenate([no, yes], axis=-1)
    elif are_logits:
        scores = softmax(scores, axis=-1)
    scores = np.maximum(scores, max(floor, _TINY))
    shares: Array = scores / scores.sum(axis=-1, keepdims=True)
    return shares


class ScoreHistogram:
    """Counts of values in :data:`BINS` equal bins; what is outside counts in the nearest."""

    def __init__(self, low: float, high: float) -> None:
        # A constant is the middle of a range of its own.
        self._low, self._width = (low, high - low) if high > low else (low - 0.5, 1.0)
        self.counts = np.zeros(BINS, np.int64)

    def add(self, values: Array) -> None:
        """Count values of any shape."""
        place = np.floor((values.astype(np.float64) - self._low) / self._width * BINS)
        place = np.clip(np.nan_to_num(place), 0, BINS - 1).astype(np.intp)
        self.counts += np.bincount(place.ravel(), minlength=BINS)

    def divergence(self, other: ScoreHistogram) -> float:
        """Compute the divergence of these counts from those of as many values, smoothed."""
        from scipy.stats import entropy

        return float(entropy(self.counts + _SMOOTHING, other.counts + _SMOOTHING))
