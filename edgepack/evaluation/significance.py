"""Two models on the same samples: whether a loss is real, and which would be seen."""

from __future__ import annotations

import math
from statistics import NormalDist

from edgepack.evaluation.results import CONFIDENCE, Interval

POWER = 0.8
"""How surely a loss that is called detectable would be seen."""

_Z_SHOWN = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_Z_POWER = NormalDist().inv_cdf(POWER)
_HALVINGS = 60


def mcnemar(only_float: int, only_other: int) -> float:
    """Compute the two-sided p of McNemar's exact test: were both models equally good.

    Takes the samples that only one of them got right, each of which then is a coin's toss.

    >>> mcnemar(1, 5)
    0.21875
    """
    from scipy.stats import binomtest

    tosses = only_float + only_other
    return float(binomtest(only_float, tosses).pvalue) if tosses else 1.0


def wilson(right: int, samples: int) -> Interval:
    """Find Wilson's interval of an accuracy."""
    from scipy.stats import binomtest

    found = binomtest(right, samples).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(low=float(found.low), high=float(found.high))


def detectable_accuracy(discordant: int, samples: int) -> float | None:
    """Find the least loss of accuracy, a fraction, that so many samples show with :data:`POWER`.

    ``discordant`` counts the samples that only one of the models got right; there are as many of
    these as the loss at least. Solves the sample size of Connor, "Sample size for testing
    differences in proportions for the paired-sample design", Biometrics 43 (1987), 207, for the
    difference. None where even the loss of everything would not be seen.
    """

    def is_seen(loss: float) -> bool:
        share = max(discordant / samples, loss)
        needed = _Z_SHOWN * math.sqrt(share) + _Z_POWER * math.sqrt(share - loss**2)
        return loss * math.sqrt(samples) >= needed

    low, high = 0.0, 1.0
    if not is_seen(high):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high


def detectable(standard_error: float) -> float:
    """Find the least loss that is seen with :data:`POWER`, of a loss with this standard error."""
    return (_Z_SHOWN + _Z_POWER) * standard_error
