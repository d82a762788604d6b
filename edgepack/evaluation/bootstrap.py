"""Intervals by the bootstrap: what a metric would be on other samples of the same kind.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: percentile intervals.
Paired: the same samples are drawn for each model, for the draw hangs on nothing but the number of
samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.results import CONFIDENCE, Interval

RESAMPLES = 1000
"""So often all samples are drawn anew, with replacement."""

TABLES = 10_000
"""So often a table of two accuracies is drawn, which costs little."""

_SEED = 20_261_123
_BLOCK_BYTES = 1 << 22  # of weights; what computes with them takes about as much thrice
_COUNTED = 4
_MOST_UNTOLD = 0.05
_ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


Value = Callable[[Array, Array], Array]
"""Of rows (samples, ...) by lines of weights (resamples, samples): see :class:`Metric`."""


def resampled(
    condensed: Sequence[tuple[Array, Sequence[Value]]],
    *,
    resamples: int = RESAMPLES,
    seed: int = _SEED,
) -> list[list[Array]]:
    """Compute values (resamples,) of condensed samples, for all the same resamples.

    Weights are how often each sample is drawn. They are made some lines at a time, so that memory
    stays flat, and are summed where rows are the same, as labels with their classes often are.
    """
    samples = len(condensed[0][0])
    merged = [_merged(rows) for rows, _ in condensed]
    found: list[list[list[Array]]] = [[[] for _ in values] for _, values in condensed]
    for weights in _weights(samples, resamples, seed):
        for (rows, place), (_, values), made in zip(merged, condensed, found, strict=True):
            sums = weights if place is None else _gathered(weights, place, len(rows))
            for value, parts in zip(values, made, strict=True):
                parts.append(value(rows, sums))
    return [[np.concatenate(parts) for parts in made] for made in found]


def is_countable(rows: Array) -> bool:
    """Whether rows are such that many are the same: whole numbers, not for each class."""
    return rows.dtype.kind in "iu" and rows.size <= _COUNTED * len(rows)


def _merged(rows: Array) -> tuple[Array, Array | None]:
    """Give each row once, and the place of each sample there; None where that spares little."""
    if is_countable(rows):
        once, place = np.unique(rows, axis=0, return_inverse=True)
        if _COUNTED * len(once) <= len(rows):
            return once, place.reshape(-1)  # numpy 2.0 gives it another shape
    return rows, None


def _gathered(weights: Array, place: Array, count: int) -> Array:
    """Sum weights (resamples, samples) by place, whole numbers (resamples, count)."""
    lines = len(weights)
    places = place + count * np.arange(lines)[:, np.newaxis]
    sums = np.bincount(places.ravel(), weights.ravel(), minlength=lines * count)
    return sums.reshape(lines, count).astype(np.int64)


def _weights(samples: int, resamples: int, seed: int) -> Iterator[Array]:
    """Draw lines of multinomial weights, some at a time."""
    random = np.random.default_rng(seed)
    most = max(1, _BLOCK_BYTES // (8 * samples))
    for start in range(0, resamples, most):
        yield _drawn(random, min(most, resamples - start), samples)


def _drawn(random: np.random.Generator, lines: int, samples: int) -> Array:
    """Draw samples with replacement, as many as there are, and count each: (lines, samples)."""
    drawn = random.integers(samples, size=(lines, samples))
    drawn += np.arange(lines)[:, np.newaxis] * samples
    return np.bincount(drawn.ravel(), minlength=lines * samples).reshape(lines, samples)


def interval(values: Array) -> Interval | None:
    """Find the percentile interval of resampled values (resamples,).

    What resamples cannot tell, NaN, is left out. None where that is more than one in twenty, or
    where all values are the same: the samples do not show then how much they might differ.
    """
    told = values[np.isfinite(values)]
    if len(told) < (1 - _MOST_UNTOLD) * len(values) or np.ptp(told) == 0:
        return None
    low, high = np.quantile(told, _ENDS)
    return Interval(low=float(low), high=float(high))


def standard_error(values: Array) -> float:
    """Compute the standard deviation of resampled values (resamples,), without NaN."""
    return float(np.std(values[np.isfinite(values)], ddof=1))


def table_losses(only_float: int, only_other: int, samples: int, *, seed: int = _SEED) -> Array:
    """Draw what accuracy is lost, as a fraction of the samples, :data:`TABLES` times.

    ``only_float`` and ``only_other`` count the samples that only one model got right. What two
    accuracies differ by hangs on these alone, so that they are drawn, not the samples: from a
    multinomial distribution with a sample more of each kind. Bonett and Price, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data", Journal of
    Educational and Behavioral Statistics 37 (2012), 479: without these, models that agree on few
    samples would seem to agree on all that there are.
    """
    counts = np.array([only_float + 1, only_other + 1, samples - only_float - only_other])
    total = samples + 2
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=TABLES)
    losses: Array = (drawn[:, 0] - drawn[:, 1]) / total
    return losses
