"""Sampling is seeded and stratified by label."""

from __future__ import annotations

import numpy as np
import pytest

from edgepack.calibration.datasets.sampling import apportion, choose_samples
from edgepack.calibration.datasets.sources.source import Survey


def survey(*counts: int) -> Survey:
    labels = np.random.default_rng(7).permutation(np.repeat(np.arange(len(counts)), counts))
    return Survey(count=sum(counts), labels=labels)


def test_samples_are_stratified_by_label() -> None:
    thousand = survey(600, 300, 100)
    chosen = choose_samples(thousand, 50, seed=0)
    assert np.bincount(thousand.labels[chosen]).tolist() == [30, 15, 5]
    assert (np.diff(chosen) > 0).all()


def test_the_seed_determines_the_samples_and_more_samples_include_them() -> None:
    hundred = survey(60, 40)
    twenty = choose_samples(hundred, 20, seed=1)
    assert twenty.tolist() == choose_samples(hundred, 20, seed=1).tolist()
    assert twenty.tolist() != choose_samples(hundred, 20, seed=2).tolist()
    assert set(twenty) <= set(choose_samples(hundred, 40, seed=1))


def test_a_rare_label_is_not_left_out() -> None:
    assert apportion(np.array([997, 1, 1, 1]), 10).tolist() == [7, 1, 1, 1]
    assert apportion(np.array([5, 5, 5]), 2).tolist() == [1, 1, 0]
    assert apportion(np.array([2, 3]), 5).tolist() == [2, 3]


@pytest.mark.parametrize("labels", [None, np.zeros(9)])
def test_requesting_too_many_samples_returns_all(labels: object) -> None:
    assert choose_samples(Survey(count=9, labels=labels), 20, seed=0).tolist() == list(range(9))
    assert len(choose_samples(Survey(count=9, labels=labels), 4, seed=0)) == 4
