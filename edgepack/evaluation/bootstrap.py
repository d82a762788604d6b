"""Intervals by the bootstrap: what a metric would be on other samples of the same kind.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: percentile intervals.
Paired: the same samples are drawn for each model, for the draw hangs on nothing but the number of
samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edgepack.evaluation.results import CONFIDENCE, Interval
from edgepack.evaluation.score import Array

RESAMPLES = 1000
"""So often all samples are drawn anew, with replacement."""

TABLES = 10_000
"""So often a table of two accuracies is drawn, which costs little."""

_SEED = 20_261_123
_BLOCK_BYTES = 1 << 23  # of weights; what computes with them takes about as much thrice
_MOST_UNTOLD = 0.05
_ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


def resampled(
    samples: int,
    values: Sequence[Callable[[Array], Array]],
    *,
    resamples: int = RESAMPLES,
    seed: int = _SEED,
) -> list[Array]:
    """Compute values (resamples,) for weights (resamples, samples): how often each is drawn.

    All are computed for the same weights, by some lines at a time, so that memory stays flat.
    """
    found: list[list[Array]] = [[] for _ in values]
    for weights in _weights(samples, resamples, seed):
        for value, made in zip(values, found, strict=True):
            made.append(value(weights))
    return [np.concatenate(each) for each in found]


def _weights(samples: int, resamples: int, seed: int) -> Iterator[Array]:
    """Draw lines of multinomial weights, some at a time."""
    random = np.random.default_rng(seed)
    most = max(1, _BLOCK_BYTES // (8 * samples))
    for start in range(0, resamples, most):
        lines = min(most, resamples - start)
        drawn = random.integers(samples, size=(lines, samples))
        drawn += np.arange(lines)[:, np.newaxis] * samples
        yield np.bincount(drawn.ravel(), minlength=lines * samples).reshape(lines, samples)


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
