"""Kullback-Leibler divergences of outputs, in nats."""

from __future__ import annotations

import numpy as np

from edgepack.evaluation.paired_outputs import Array

BINS = 128
"""Number of bins in a histogram of values."""

_TINY = float(np.finfo(np.float64).tiny)
_SMOOTHING = 0.5


def kl_divergences(
    float_scores: Array, other_scores: Array, *, are_logits: bool, floor: float
) -> Array:
    """Compute ``sum p log(p / q)``, with p from the float model and q from another model.

    Takes scores (..., classes) and returns (...). Logits go through softmax; a single logit goes
    through the logistic function, and the other class has the complement. Probabilities of the
    other model below ``floor`` are raised to it, because a quantized 0 stands for everything below
    half a step; then both are normalized to a sum of 1.
    """
    from scipy.special import rel_entr

    p = _probabilities(float_scores, are_logits=are_logits, floor=0.0)
    q = _probabilities(other_scores, are_logits=are_logits, floor=0.0 if are_logits else floor)
    divergences: Array = rel_entr(p, q).sum(axis=-1)
    return np.maximum(divergences, 0.0)  # rounding may make them slightly negative


def _probabilities(scores: Array, *, are_logits: bool, floor: float) -> Array:
    """Turn scores (..., classes) into probabilities, all greater than 0."""
    from scipy.special import expit, softmax

    scores = scores.astype(np.float64)
    if scores.shape[-1] == 1:
        yes = expit(scores) if are_logits else scores
        no = expit(-scores) if are_logits else 1 - scores
        scores = np.concatenate([no, yes], axis=-1)
    elif are_logits:
        scores = softmax(scores, axis=-1)
    scores = np.maximum(scores, max(floor, _TINY))
    normalized: Array = scores / scores.sum(axis=-1, keepdims=True)
    return normalized


class ValueHistogram:
    """Counts of values in :data:`BINS` equal bins; values outside count in the nearest bin."""

    def __init__(self, low: float, high: float) -> None:
        # A constant is put in the middle of a range of width 1.
        self._low, self._width = (low, high - low) if high > low else (low - 0.5, 1.0)
        self.counts = np.zeros(BINS, np.int64)

    def add(self, values: Array) -> None:
        """Count values of any shape."""
        bins = np.floor((values.astype(np.float64) - self._low) / self._width * BINS)
        bins = np.clip(np.nan_to_num(bins), 0, BINS - 1).astype(np.intp)
        self.counts += np.bincount(bins.ravel(), minlength=BINS)

    def divergence(self, other: ValueHistogram) -> float:
        """Compute the divergence from another histogram of equally many values, both smoothed."""
        from scipy.stats import entropy

        return float(entropy(self.counts + _SMOOTHING, other.counts + _SMOOTHING))
