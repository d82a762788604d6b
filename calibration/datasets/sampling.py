"""Choosing some samples of many: seeded, and of each label its share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.source import Survey


def choose_samples(survey: Survey, samples: int, seed: int) -> NDArray[np.int64]:
    """Choose rows, in rising order; all if there are no more.

    Every sample gets a random number, and those with the lowest of their label are taken: the
    same for the same seed, and of more samples mostly the same ones. Each label gets its share by
    the largest remainder, and at least one sample if there are enough.
    """
    order = np.random.default_rng(seed).random(survey.count)
    labels = np.zeros(survey.count) if survey.labels is None else survey.labels
    _, label_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quotas = shares(counts, min(samples, survey.count))
    chosen = [np.empty(0, np.int64)] + [
        rows[np.argsort(order[rows], kind="stable")[:quota]]
        for label, quota in enumerate(quotas)
        for rows in [np.flatnonzero(label_of == label)]
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def shares(counts: NDArray[Any], samples: int) -> NDArray[np.int64]:
    """Divide samples by counts, by the largest remainder; of ties the first gets one.

    With samples enough for all, nobody gets none.

    >>> shares(np.array([50, 30, 20]), 5).tolist()
    [3, 1, 1]
    >>> shares(np.array([98, 1, 1]), 3).tolist()
    [1, 1, 1]
    """
    exact: NDArray[np.float64] = counts * samples / counts.sum()
    quotas: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    remainders = np.argsort(quotas - exact, kind="stable")
    quotas[remainders[: samples - quotas.sum()]] += 1
    if samples >= len(counts):
        for none in np.flatnonzero(quotas == 0):
            quotas[np.argmax(quotas)] -= 1
            quotas[none] = 1
    return quotas
