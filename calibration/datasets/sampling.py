"""Seeded sampling of a dataset, stratified by label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.source import Survey


def choose_samples(survey: Survey, samples: int, seed: int) -> NDArray[np.int64]:
    """Return the rows of ``samples`` samples in ascending order; all rows if there are no more.

    Every sample gets a random number, and those with the lowest numbers of each label are chosen.
    So the same seed chooses the same samples, and a larger ``samples`` keeps most of them.
    Samples are apportioned to labels by :func:`apportion`; without labels all are one stratum.
    """
    order = np.random.default_rng(seed).random(survey.count)
    labels = np.zeros(survey.count) if survey.labels is None else survey.labels
    _, label_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quotas = apportion(counts, min(samples, survey.count))
    chosen = [np.empty(0, np.int64)] + [
        rows[np.argsort(order[rows], kind="stable")[:quota]]
        for label, quota in enumerate(quotas)
        for rows in [np.flatnonzero(label_of == label)]
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def apportion(counts: NDArray[Any], samples: int) -> NDArray[np.int64]:
    """Divide samples among labels in proportion to their counts.

    This is the largest remainder method; ties go to the first label. If there are at least as
    many samples as labels, every label gets at least one.

    >>> apportion(np.array([50, 30, 20]), 5).tolist()
    [3, 1, 1]
    >>> apportion(np.array([98, 1, 1]), 3).tolist()
    [1, 1, 1]
    """
    exact: NDArray[np.float64] = counts * samples / counts.sum()
    quotas: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    remainders = np.argsort(quotas - exact, kind="stable")
    quotas[remainders[: samples - quotas.sum()]] += 1
    if samples >= len(counts):
        for label in np.flatnonzero(quotas == 0):
            quotas[np.argmax(quotas)] -= 1
            quotas[label] = 1
    return quotas
