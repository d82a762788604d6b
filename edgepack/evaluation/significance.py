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

    >>> round(mcnemar_p_value(1, 5), 9)
    0.21875
    """
    from scipy.special import bdtr  # scipy.stats takes a second to import

    return min(1.0, 2 * float(bdtr(min(only_float, only_other), only_float + only_other, 0.5)))


def is_above_chance(successes: int, trials: int, chance: float) -> bool:
    """Whether there are significantly more successes than with the probability ``chance`` each.

    One-sided exact binomial test.

    >>> is_above_chance(9, 10, 0.5), is_above_chance(7, 10, 0.5)
    (True, False)
    """
    from scipy.special import bdtrc

    return bool(bdtrc(successes - 1, trials, chance) < SIGNIFICANCE)


def wilson_interval(correct: int, samples: int) -> Interval:
    """Compute the Wilson score interval of an accuracy.

    See Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927), 209.

    >>> wilson_interval(9, 10)
    Interval(low=0.5958499732047615, high=0.9821237869049271)
    """
    share, square = correct / samples, _Z_CONFIDENCE**2 / samples
    reach = math.sqrt(square * (share * (1 - share) + square / 4))
    low, high = ((share + square / 2 + sign * reach) / (1 + square) for sign in (-1, 1))
    return Interval(low=low if correct else 0.0, high=high if correct < samples else 1.0)


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
