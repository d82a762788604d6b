"""Observers choose ranges from histograms that count every value, in any order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgepack.calibration.activations.activation_statistics import Statistics, moving_average
from edgepack.calibration.activations.histogram import EMPTY, MAX_BINS, Histogram, histogram
from edgepack.calibration.activations.observers import OBSERVERS, make_observer
from edgepack.calibration.activations.observers.minimal_error import fake_quantize
from edgepack.core.errors import ConfigError


def statistics_of(samples: np.ndarray) -> Statistics:
    """Return the statistics of an activation of shape (samples, values)."""
    return Statistics(
        min=float(samples.min()),
        max=float(samples.max()),
        lows=moving_average(samples.min(axis=1)),
        highs=moving_average(samples.max(axis=1)),
        histogram=histogram(samples),
    )


def assert_same(one: Histogram, other: Histogram) -> None:
    assert (one.exponent, one.first, one.zeros) == (other.exponent, other.first, other.zeros)
    np.testing.assert_array_equal(one.counts, other.counts)


@pytest.mark.parametrize("seed", range(20))
def test_histograms_of_parts_add_up_to_that_of_the_whole(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(random.integers(1, 6)):
        values = random.normal(size=random.integers(1, 200)) * 10.0 ** random.integers(-30, 30)
        values[random.random(values.size) < 0.3] = 0
        parts.append(values.astype(np.float32))
    whole = histogram(np.concatenate(parts))
    for order in (parts, parts[::-1]):
        merged = EMPTY
        for part in order:
            merged = merged.merged(histogram(part))
        assert_same(merged, whole)
    assert whole.total == sum(part.size for part in parts)
    assert len(whole.counts) <= MAX_BINS


@pytest.mark.parametrize("value", [1.0, -3e38, 1e-44, 0.0])
def test_a_histogram_of_one_value_includes_it(value: float) -> None:
    five = histogram(np.full(5, value, np.float32))
    assert five.total == 5
    if value:
        assert five.edges[0] <= np.float32(value) <= five.edges[-1]


def test_zeros_are_counted_separately() -> None:
    mixed = histogram(np.array([0, 0, 0, 1e-3, 5], np.float32))
    assert (mixed.zeros, mixed.counts.sum()) == (3, 2)


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_range_is_within_the_observed_range(name: str) -> None:
    random = np.random.default_rng(0)
    for samples in (
        random.normal(size=(50, 100)),
        np.maximum(random.normal(size=(50, 100)), 0),
        random.uniform(2, 3, size=(50, 100)),
        np.zeros((50, 4)),
        np.full((50, 4), -0.5),
        np.full((3, 1), 1e-40),
    ):
        statistics = statistics_of(samples.astype(np.float32))
        low, high = make_observer(name).range([statistics])
        assert statistics.min <= low <= high <= statistics.max


def test_min_max_clips_nothing_and_the_moving_average_forgets_outliers() -> None:
    samples = np.tile(np.array([-1.0, 1.0], np.float32), (200, 1))
    samples[0] = -9, 9
    assert make_observer("min-max").range([statistics_of(samples)]) == (-9, 9)
    low, high = make_observer("moving-average").range([statistics_of(samples)])
    assert (low, high) == (pytest.approx(-1, abs=1e-3), pytest.approx(1, abs=1e-3))


def test_a_percentile_equals_that_of_the_values() -> None:
    samples = np.random.default_rng(0).normal(size=(100, 1000)).astype(np.float32)
    samples[samples < -1] = 0
    for percent in (90, 99, 99.99):
        low, high = make_observer(f"percentile:{percent}").range([statistics_of(samples)])
        assert high == pytest.approx(np.percentile(samples, percent), abs=5e-3)
        assert low == pytest.approx(np.percentile(samples, 100 - percent), abs=5e-3)


@pytest.mark.parametrize(("name", "power"), [("mse", 2), ("lp", 2.4), ("lp:4", 4)])
def test_no_other_range_has_a_smaller_error(name: str, power: float) -> None:
    samples = np.random.default_rng(0).laplace(size=(100, 500)).astype(np.float32)
    samples[0, 0] = 60

    def error(low: float, high: float) -> float:
        return float((np.abs(samples - fake_quantize(samples, low, high)) ** power).mean())

    statistics = statistics_of(samples)
    low, high = make_observer(name).range([statistics])
    best = min(
        error(statistics.min * a, statistics.max * b)
        for a in np.linspace(0.3, 1, 15)
        for b in np.linspace(0.3, 1, 15)
    )
    assert error(low, high) <= 1.02 * best


def test_entropy_clips_outliers() -> None:
    samples = np.maximum(np.random.default_rng(0).normal(size=(100, 500)), 0).astype(np.float32)
    samples[0, 0] = 40
    low, high = make_observer("entropy").range([statistics_of(samples)])
    assert low == 0
    assert 3 < high < 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maximum", "unknown observer 'maximum': known observers: min-max, moving-average"),
        ("mse:3", "mse takes no number; write mse"),
        ("percentile:100.5", "above 50 and at most 100"),
        ("percentile:most", "write percentile:NUMBER"),
        ("percentile:", "write percentile:NUMBER"),
        ("lp:0", "between 1 and 10"),
        ("lp:nan", "between 1 and 10"),
    ],
)
def test_an_invalid_observer_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_observer(text)


def test_values_before_an_average_pooling_may_be_clipped_to_represent_the_averages_better() -> None:
    random = np.random.default_rng(0)
    pooled = np.maximum(random.normal(size=(200, 64 * 8)) * 4 - 4, 0).astype(np.float32)
    average = pooled.reshape(200, 8, 64).mean(axis=2)
    before, after = statistics_of(pooled), statistics_of(average)
    alone = make_observer("mse").range([before])[1]
    together = make_observer("mse").range([replace(before, averaged=64), after])[1]
    assert after.max < together < 0.9 * alone

    def error(high: float) -> float:
        clipped = fake_quantize(pooled, 0, high).reshape((*average.shape, 64)).mean(axis=2)
        return float(((fake_quantize(clipped, 0, high) - average) ** 2).mean())

    assert error(together) < 0.8 * error(alone)


def test_entropy_keeps_a_uniform_distribution() -> None:
    samples = np.random.default_rng(0).uniform(0.9, 3.7, size=(100, 50)).astype(np.float32)
    assert make_observer("entropy").range([statistics_of(samples)])[1] > 3
