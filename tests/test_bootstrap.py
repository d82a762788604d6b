"""Coverage of the confidence intervals, significance, and the power of detectable losses."""

from __future__ import annotations

import math
import tracemalloc
from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, rankdata

from edgepack.evaluation.bootstrap import (
    percentile_interval,
    resample,
    sample_accuracy_losses,
    standard_error,
)
from edgepack.evaluation.results import Interval
from edgepack.evaluation.significance import (
    detectable_accuracy_loss,
    detectable_loss,
    mcnemar_p_value,
    wilson_interval,
)
from edgepack.metrics.metric import weighted_mean

CASES = 500
RESAMPLES = 400  # fewer than by default, so that 500 cases take about a second


@cache
def interval_of_table(only_float: int, only_other: int, samples: int) -> Interval:
    interval = percentile_interval(sample_accuracy_losses(only_float, only_other, samples))
    assert interval is not None
    return interval


def is_covered(truth: float, interval: Interval | None) -> bool:
    return interval is not None and interval.low <= truth <= interval.high


@pytest.mark.parametrize(
    ("samples", "only_float", "only_other"),
    [(400, 0.04, 0.03), (400, 0.02, 0.02), (2000, 0.01, 0.006), (2000, 0.03, 0.02)],
)
def test_the_interval_of_an_accuracys_loss_covers_the_truth(
    samples: int, only_float: float, only_other: float
) -> None:
    random = np.random.default_rng(7)
    shares = [only_float, only_other, 1 - only_float - only_other]
    tables = random.multinomial(samples, shares, size=CASES)
    covered = [
        is_covered(only_float - only_other, interval_of_table(int(b), int(c), samples))
        for b, c, _ in tables
    ]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_the_interval_of_an_errors_growth_covers_the_truth() -> None:
    random = np.random.default_rng(8)
    covered = []
    for case in range(CASES):
        errors = random.normal(size=200)
        noise = random.normal(scale=0.5, size=200)
        squares = [np.square(errors), np.square(errors + noise)]
        condensed = [(rows, [weighted_mean]) for rows in squares]
        (float_values,), (other_values,) = resample(condensed, resamples=RESAMPLES, seed=case)
        covered.append(
            is_covered(25.0, percentile_interval(100 * (other_values / float_values - 1)))
        )
    assert 0.93 <= np.mean(covered) <= 0.97


def auc(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the Mann-Whitney statistic over the number of pairs; no scores may be equal."""
    scores, labels = rows[:, 0], rows[:, 1] == 1
    order = np.argsort(scores)
    counts = weights[:, order].astype(np.float64)
    positive, negative = counts * labels[order], counts * ~labels[order]
    pairs = (positive * (np.cumsum(negative, axis=1))).sum(axis=1)
    return pairs / (positive.sum(axis=1) * negative.sum(axis=1))


def test_the_interval_of_an_aucs_loss_covers_the_truth() -> None:
    random = np.random.default_rng(9)
    covered = []
    for case in range(CASES):
        labels = np.arange(150) % 2 == 0
        scores = random.normal(size=150) + labels  # one standard deviation apart
        noisy = scores + random.normal(scale=0.5, size=150)
        condensed = [(np.column_stack([rows, labels]), [auc]) for rows in (scores, noisy)]
        (float_values,), (other_values,) = resample(condensed, resamples=RESAMPLES, seed=case)
        truth = phi(1 / math.sqrt(2)) - phi(1 / math.sqrt(2.5))
        covered.append(is_covered(truth, percentile_interval(float_values - other_values)))
    assert 0.93 <= np.mean(covered) <= 0.97


def phi(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


def test_the_same_samples_are_drawn_for_each_model() -> None:
    rows = np.random.default_rng(1).normal(size=50)
    ((alone,),) = resample([(rows, [weighted_mean])])
    (first,), (second,) = resample([(rows, [weighted_mean]), (rows + 1, [weighted_mean])])
    np.testing.assert_array_equal(alone, first)
    np.testing.assert_allclose(second - first, 1)


def test_resamples_do_not_depend_on_the_block_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = np.random.default_rng(0).normal(size=30)
    values = [(rows, [weighted_mean, lambda _, weights: weights.sum(axis=1)])]
    ((whole, sums),) = resample(values, resamples=100)
    assert set(sums) == {30}
    monkeypatch.setattr("edgepack.evaluation.bootstrap._BLOCK_BYTES", 8 * 30 * 7)
    ((parts, _),) = resample(values, resamples=100)
    np.testing.assert_allclose(whole, parts, rtol=1e-12)


def test_identical_rows_are_merged() -> None:
    rows = np.random.default_rng(0).integers(0, 3, (200, 2))
    sizes = []

    def value(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return weights @ (rows[:, 0] * 10 + rows[:, 1])

    ((together,),) = resample([(rows, [value])])
    ((separate,),) = resample([(rows.astype(float), [value])])
    np.testing.assert_array_equal(together, separate)
    assert set(sizes) == {9, 200}


def test_the_standard_error_is_as_in_theory_and_takes_little_memory() -> None:
    rows = np.random.default_rng(2).normal(size=10_000)
    tracemalloc.start()
    ((means,),) = resample([(rows, [weighted_mean])])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20
    assert standard_error(means) == pytest.approx(rows.std() / 100, rel=0.1)


def test_undefined_or_equal_resamples_have_no_interval() -> None:
    values = np.arange(100.0)
    values[:5] = np.nan
    interval = percentile_interval(values)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(
        tuple(np.quantile(values[5:], (0.025, 0.975)))
    )
    values[5] = np.nan
    assert percentile_interval(values) is None
    assert percentile_interval(np.full(10, 0.9)) is None  # no spread does not mean certainty


def test_agreement_on_all_samples_has_an_interval_of_some_width() -> None:
    interval = interval_of_table(0, 0, 400)
    assert interval.low < 0 < interval.high
    assert interval.high == pytest.approx(-interval.low, abs=0.003)
    assert 0.005 < interval.high < 0.02


@pytest.mark.parametrize(("b", "c"), list(product(range(13), repeat=2)))
def test_mcnemars_p_value_is_that_of_binomial_sums(b: int, c: int) -> None:
    both_tails = 2 * sum(binom.pmf(k, b + c, 0.5) for k in range(min(b, c) + 1))
    assert mcnemar_p_value(b, c) == pytest.approx(min(1.0, both_tails), abs=1e-12)
    # As statsmodels' mcnemar(exact=True) computes it.
    assert mcnemar_p_value(b, c) == pytest.approx(
        min(1.0, 2 * binom.cdf(min(b, c), b + c, 0.5)), abs=1e-12
    )


def test_wilson_interval() -> None:
    interval = wilson_interval(390, 400)
    z, p, n = 1.959963984540054, 390 / 400, 400
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert (interval.low, interval.high) == pytest.approx((middle - half, middle + half))
    assert wilson_interval(1, 1).high == pytest.approx(1.0)
    assert wilson_interval(0, 1).low == pytest.approx(0.0)


@pytest.mark.parametrize(("samples", "discordant"), [(400, 12), (2000, 60), (400, 0)])
def test_a_detectable_loss_of_accuracy_has_a_power_of_80_percent(
    samples: int, discordant: int
) -> None:
    loss = detectable_accuracy_loss(discordant, samples)
    assert loss is not None
    share = max(discordant / samples, loss)
    worse, better = (share + loss) / 2, (share - loss) / 2
    tables = np.random.default_rng(3).multinomial(samples, [worse, better, 1 - share], size=CASES)
    is_shown = [interval_of_table(int(b), int(c), samples).low > 0 for b, c, _ in tables]
    assert 0.74 <= np.mean(is_shown) <= 0.86


def test_a_detectable_loss_of_accuracy_solves_connors_sample_size() -> None:
    loss = detectable_accuracy_loss(20, 1000)
    assert loss is not None
    z_shown, z_power = 1.959963984540054, 0.8416212335729143
    root = z_shown * math.sqrt(0.02) + z_power * math.sqrt(0.02 - loss**2)
    assert (root / loss) ** 2 == pytest.approx(1000)


def test_few_samples_detect_nothing() -> None:
    assert detectable_accuracy_loss(0, 1) is None
    assert detectable_accuracy_loss(1, 3) is None
    assert detectable_accuracy_loss(0, 8) == pytest.approx(0.74, abs=0.1)


def test_a_detectable_loss_of_a_mean_has_a_power_of_80_percent() -> None:
    random = np.random.default_rng(4)
    loss = detectable_loss(1 / math.sqrt(200))
    is_shown = []
    for case in range(CASES):
        rows = random.normal(loss, size=200)
        ((means,),) = resample([(rows, [weighted_mean])], resamples=100, seed=case)
        interval = percentile_interval(means)
        is_shown.append(interval is not None and interval.low > 0)
    assert 0.74 <= np.mean(is_shown) <= 0.86


def test_the_auc_of_these_tests_is_the_mann_whitney_statistic() -> None:
    scores, labels = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    ranks = rankdata(scores)[labels].sum() - 3
    assert auc(np.column_stack([scores, labels]), np.ones((1, 4)))[0] == pytest.approx(ranks / 4)
