"""Samples are chosen by seed, and of each label its share."""

from __future__ import annotations

import numpy as np
import pytest

from edgepack.calibration.datasets.sampling import choose_samples, shares
from edgepack.calibration.datasets.sources.source import Survey


def survey(*counts: int) -> Survey:
    labels = np.random.default_rng(7).permutation(np.repeat(np.arange(len(counts)), counts))
    return Survey(count=sum(counts), labels=labels)


def test_each_label_gets_its_share() -> None:
    found = survey(600, 300, 100)
    chosen = choose_samples(found, 50, seed=0)
    assert np.bincount(found.labels[chosen]).tolist() == [30, 15, 5]
    assert (np.diff(chosen) > 0).all()


def test_the_seed_decides_and_more_samples_keep_those_of_few() -> None:
    found = survey(60, 40)
    assert choose_samples(found, 20, seed=1).tolist() == choose_samples(found, 20, seed=1).tolist()
    assert choose_samples(found, 20, seed=1).tolist() != choose_samples(found, 20, seed=2).tolist()
    assert set(choose_samples(found, 20, seed=1)) <= set(choose_samples(found, 40, seed=1))


def test_a_rare_label_is_not_left_out() -> None:
    assert shares(np.array([997, 1, 1, 1]), 10).tolist() == [7, 1, 1, 1]
    assert shares(np.array([5, 5, 5]), 2).tolist() == [1, 1, 0]
    assert shares(np.array([2, 3]), 5).tolist() == [2, 3]


@pytest.mark.parametrize("labels", [None, np.zeros(9)])
def test_more_than_there_are_is_all(labels: object) -> None:
    assert choose_samples(Survey(count=9, labels=labels), 20, seed=0).tolist() == list(range(9))
    assert len(choose_samples(Survey(count=9, labels=labels), 4, seed=0)) == 4
