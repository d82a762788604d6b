"""Bootstrap confidence intervals of metrics.

The intervals are percentile intervals, as in Efron and Tibshirani, "An Introduction to the
Bootstrap" (1993), chapter 13. The bootstrap is paired: the draw depends only on the seed and the
number of samples, so that the same samples are drawn for every model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.results import CONFIDENCE, Interval

RESAMPLES = 1000
"""Number of bootstrap resamples."""

MIN_SAMPLES = 6
"""Samples from which on resamples show a change: the differences of ``n`` have the same sign by
chance with a probability of ``2 ** (1 - n)``, which is above 5% for fewer, and no resample of them
has another."""

TABLES = 10_000
"""Number of contingency tables drawn for the difference of two accuracies, which is cheap."""

_SEED = 20_261_123
_BLOCK_BYTES = 1 << 22  # of weights; computing with them takes about three times as much
_MIN_REPEATS = 4
_MAX_UNDEFINED = 0.05
_QUANTILES = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


Value = Callable[[Array, Array], Array]
"""Computes values (resamples,) from rows (samples, ...) and weights (resamples, samples).

See ``value`` of :class:`~edgepack.metrics.metric.Metric`.
"""


def resample(
    condensed: Sequence[tuple[Array, Sequence[Value]]],
    *,
    resamples: int = RESAMPLES,
    seed: int = _SEED,
) -> list[list[Array]]:
    """Compute values (resamples,) of condensed samples, all for the same resamples.

    ``condensed`` pairs rows (samples, ...) with the values to compute from them; the result has the
    same order. Weights are the number of times that each sample is drawn. They are drawn in blocks,
    so that memory use stays flat, and are summed over identical rows, as pairs of label and
    predicted class often are.
    """
    samples = len(condensed[0][0])
    merged = [_merge_identical(rows) for rows, _ in condensed]
    results: list[list[list[Array]]] = [[[] for _ in values] for _, values in condensed]
    for weights in _weight_blocks(samples, resamples, seed):
        for (rows, index), (_, values), parts in zip(merged, condensed, results, strict=True):
            sums = weights if index is None else _sum_by_index(weights, index, len(rows))
            for value, part in zip(values, parts, strict=True):
                part.append(value(rows, sums))
    return [[np.concatenate(part) for part in parts] for parts in results]


def is_countable(rows: Array) -> bool:
    """Whether many rows may be identical: they hold few integers each, not one per class."""
    return rows.dtype.kind in "iu" and rows.size <= _MIN_REPEATS * len(rows)


def _merge_identical(rows: Array) -> tuple[Array, Array | None]:
    """Return the distinct rows, and the index of each sample among them.

    Returns the rows as they are, and None, if merging would save little.
    """
    if is_countable(rows):
        distinct, index = np.unique(rows, axis=0, return_inverse=True)
        if _MIN_REPEATS * len(distinct) <= len(rows):
            return distinct, index.reshape(-1)  # numpy 2.0 returns another shape
    return rows, None


def _sum_by_index(weights: Array, index: Array, count: int) -> Array:
    """Sum weights (resamples, samples) by index, int64 (resamples, count)."""
    lines = len(weights)
    places = index + count * np.arange(lines)[:, np.newaxis]
    sums = np.bincount(places.ravel(), weights.ravel(), minlength=lines * count)
    return sums.reshape(lines, count).astype(np.int64)


def _weight_blocks(samples: int, resamples: int, seed: int) -> Iterator[Array]:
    """Draw multinomial weights (lines, samples), a block of lines at a time."""
    random = np.random.default_rng(seed)
    max_lines = max(1, _BLOCK_BYTES // (8 * samples))
    for start in range(0, resamples, max_lines):
        yield _draw_weights(random, min(max_lines, resamples - start), samples)


def _draw_weights(random: np.random.Generator, lines: int, samples: int) -> Array:
    """Draw as many samples as there are, with replacement, and count each: (lines, samples)."""
    drawn = random.integers(samples, size=(lines, samples))
    drawn += np.arange(lines)[:, np.newaxis] * samples
    return np.bincount(drawn.ravel(), minlength=lines * samples).reshape(lines, samples)


def percentile_interval(values: Array) -> Interval | None:
    """Compute the percentile interval of resampled values (resamples,).

    Undefined values (NaN) are left out. Returns None if more than one in twenty is undefined, or if
    all values are equal: then the samples do not show how much the value might vary.
    """
    defined = values[np.isfinite(values)]
    if len(defined) < (1 - _MAX_UNDEFINED) * len(values) or np.ptp(defined) == 0:
        return None
    low, high = np.quantile(defined, _QUANTILES)
    return Interval(low=float(low), high=float(high))


def standard_error(values: Array) -> float:
    """Compute the standard deviation of resampled values (resamples,), ignoring NaN."""
    return float(np.std(values[np.isfinite(values)], ddof=1))


def sample_accuracy_losses(
    only_float: int, only_other: int, samples: int, *, seed: int = _SEED
) -> Array:
    """Draw losses of accuracy, as fractions of the samples, float64 (:data:`TABLES`,).

    ``only_float`` and ``only_other`` are the numbers of samples that only the float or only the
    other model got right. The difference of two accuracies depends on these alone, so they are
    drawn instead of the samples, from a multinomial distribution with one more sample in each of
    the two counts: otherwise, models that agree on all of a few samples would seem certain to agree
    on any. See Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37 (2012),
    479.
    """
    counts = np.array([only_float + 1, only_other + 1, samples - only_float - only_other])
    total = samples + 2
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=TABLES)
    losses: Array = (drawn[:, 0] - drawn[:, 1]) / total
    return losses
