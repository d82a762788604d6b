"""Statistics of two models on the same samples: significance, and detectable losses."""

from __future__ import annotations

import math
from statistics import NormalDist

from edgepack.evaluation.results import CONFIDENCE, SIGNIFICANCE, Interval

POWER = 0.8
"""The statistical power at which a loss counts as detectable."""

_Z_CONFIDENCE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_Z_POWER = NormalDist().inv_cdf(POWER)
_BISECTIONS = 60


def mcnemar_p_value(only_float: int, only_other: int) -> float:
    """Compute the two-sided p-value of McNemar's exact test that both models are equally good.

    ``only_float`` and ``only_other`` are the numbers of samples that only one of the models got
    right; under the null hypothesis either is equally likely.

    >>> mcnemar_p_value(1, 5)
    0.21875
    """
    from scipy.stats import binomtest

    discordant = only_float + only_other
    return float(binomtest(only_float, discordant).pvalue) if discordant else 1.0


def is_above_chance(successes: int, trials: int, chance: float) -> bool:
    """Whether there are significantly more successes than with the probability ``chance`` each.

    One-sided exact binomial test.

    >>> is_above_chance(9, 10, 0.5), is_above_chance(7, 10, 0.5)
    (True, False)
    """
    from scipy.stats import binomtest

    return bool(binomtest(successes, trials, chance, alternative="greater").pvalue < SIGNIFICANCE)


def wilson_interval(correct: int, samples: int) -> Interval:
    """Compute the Wilson score interval of an accuracy."""
    from scipy.stats import binomtest

    interval = binomtest(correct, samples).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(low=float(interval.low), high=float(interval.high))


def detectable_accuracy_loss(discordant: int, samples: int) -> float | None:
    """Compute the smallest loss of accuracy, a fraction, that is detectable with :data:`POWER`.

    ``discordant`` is the number of samples that only one of the models got right; it is assumed to
    be at least the loss. Solves the sample size formula of Connor, "Sample size for testing
    differences in proportions for the paired-sample design", Biometrics 43 (1987), 207, for the
    difference. Returns None if there are too few samples to detect even a loss of 1.
    """

    def is_detectable(loss: float) -> bool:
        share = max(discordant / samples, loss)
        needed = _Z_CONFIDENCE * math.sqrt(share) + _Z_POWER * math.sqrt(share - loss**2)
        return loss * math.sqrt(samples) >= needed

    low, high = 0.0, 1.0
    if not is_detectable(high):
        return None
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_detectable(middle) else (middle, high)
    return high


def detectable_loss(standard_error: float) -> float:
    """Compute the smallest loss detectable with :data:`POWER`, from the loss's standard error."""
    return (_Z_CONFIDENCE + _Z_POWER) * standard_error
