"""Observers choose ranges from histograms that hold every value, whatever the order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgepack.calibration.activations.activation_statistics import Statistics, moving_average
from edgepack.calibration.activations.histogram import EMPTY, MAX_BINS, Histogram, histogram
from edgepack.calibration.activations.observers import OBSERVERS, observer
from edgepack.calibration.activations.observers.minimal_error import fake_quantize
from edgepack.core.errors import ConfigError


def seen(samples: np.ndarray) -> Statistics:
    """Watch an activation of shape (samples, values)."""
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
def test_a_histogram_of_one_value_holds_it(value: float) -> None:
    found = histogram(np.full(5, value, np.float32))
    assert found.total == 5
    if value:
        assert found.edges[0] <= np.float32(value) <= found.edges[-1]


def test_zeros_do_not_weigh_on_any_bin() -> None:
    found = histogram(np.array([0, 0, 0, 1e-3, 5], np.float32))
    assert (found.zeros, found.counts.sum()) == (3, 2)


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_range_lies_within_what_was_seen(name: str) -> None:
    random = np.random.default_rng(0)
    for samples in (
        random.normal(size=(50, 100)),
        np.maximum(random.normal(size=(50, 100)), 0),
        random.uniform(2, 3, size=(50, 100)),
        np.zeros((50, 4)),
        np.full((50, 4), -0.5),
        np.full((3, 1), 1e-40),
    ):
        statistics = seen(samples.astype(np.float32))
        low, high = observer(name).range([statistics])
        assert statistics.min <= low <= high <= statistics.max


def test_min_max_clips_nothing_and_the_moving_average_forgets() -> None:
    samples = np.tile(np.array([-1.0, 1.0], np.float32), (200, 1))
    samples[0] = -9, 9
    assert observer("min-max").range([seen(samples)]) == (-9, 9)
    low, high = observer("moving-average").range([seen(samples)])
    assert (low, high) == (pytest.approx(-1, abs=1e-3), pytest.approx(1, abs=1e-3))


def test_a_percentile_is_that_of_the_values() -> None:
    samples = np.random.default_rng(0).normal(size=(100, 1000)).astype(np.float32)
    samples[samples < -1] = 0
    for percent in (90, 99, 99.99):
        low, high = observer(f"percentile:{percent}").range([seen(samples)])
        assert high == pytest.approx(np.percentile(samples, percent), abs=5e-3)
        assert low == pytest.approx(np.percentile(samples, 100 - percent), abs=5e-3)


@pytest.mark.parametrize(("name", "power"), [("mse", 2), ("lp", 2.4), ("lp:4", 4)])
def test_no_other_range_has_a_smaller_error(name: str, power: float) -> None:
    samples = np.random.default_rng(0).laplace(size=(100, 500)).astype(np.float32)
    samples[0, 0] = 60

    def error(low: float, high: float) -> float:
        return float((np.abs(samples - fake_quantize(samples, low, high)) ** power).mean())

    statistics = seen(samples)
    low, high = observer(name).range([statistics])
    best = min(
        error(statistics.min * a, statistics.max * b)
        for a in np.linspace(0.3, 1, 15)
        for b in np.linspace(0.3, 1, 15)
    )
    assert error(low, high) <= 1.02 * best


def test_entropy_clips_what_is_rare_and_far() -> None:
    samples = np.maximum(np.random.default_rng(0).normal(size=(100, 500)), 0).astype(np.float32)
    samples[0, 0] = 40
    low, high = observer("entropy").range([seen(samples)])
    assert low == 0
    assert 3 < high < 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("maximum", "unknown observer 'maximum': known observers: min-max, moving-average"),
        ("mse:3", "mse takes no number; write mse"),
        ("percentile:100.5", "above 50 and at most at 100"),
        ("percentile:most", "write percentile:NUMBER"),
        ("percentile:", "write percentile:NUMBER"),
        ("lp:0", "between 1 and 10"),
        ("lp:nan", "between 1 and 10"),
    ],
)
def test_an_observer_that_is_none_is_told_in_a_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        observer(text)


def test_what_is_averaged_may_be_clipped_for_the_sake_of_the_average() -> None:
    random = np.random.default_rng(0)
    pooled = np.maximum(random.normal(size=(200, 64 * 8)) * 4 - 4, 0).astype(np.float32)
    average = pooled.reshape(200, 8, 64).mean(axis=2)
    before, after = seen(pooled), seen(average)
    alone = observer("mse").range([before])[1]
    together = observer("mse").range([replace(before, averaged=64), after])[1]
    assert after.max < together < 0.9 * alone

    def error(high: float) -> float:
        clipped = fake_quantize(pooled, 0, high).reshape((*average.shape, 64)).mean(axis=2)
        return float(((fake_quantize(clipped, 0, high) - average) ** 2).mean())

    assert error(together) < 0.8 * error(alone)


def test_entropy_does_not_throw_everything_away() -> None:
    samples = np.random.default_rng(0).uniform(0.9, 3.7, size=(100, 50)).astype(np.float32)
    assert observer("entropy").range([seen(samples)])[1] > 3
