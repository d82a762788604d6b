"""Folds of a dataset: which samples belong to each, and files with some of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sampling import choose_samples
from edgepack.calibration.datasets.sources.source import Survey
from edgepack.config.export import Recipe
from edgepack.core.errors import ConfigError
from edgepack.evaluation.paired_outputs import Mask
from edgepack.storage.array_writer import chosen_rows
from edgepack.storage.arrays import array_paths
from edgepack.storage.dataset import Dataset

_SEED = 0


def held_out(
    labels: NDArray[Any] | None, samples: int, count: int, source: object
) -> tuple[list[Mask], str | None]:
    """Choose each fold's samples, and say why the folds are not stratified; None if they are.

    Raises :class:`ConfigError` for fewer samples than folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if samples < count:
        raise ConfigError(
            f"folds {count}: {source} has {samples} samples; give more, or ask for fewer folds"
        )
    why_not = _why_not_stratified(labels, count)
    kind = KFold if why_not else StratifiedKFold
    splits = kind(count, shuffle=True, random_state=_SEED).split(np.empty(samples), labels)
    return [np.isin(np.arange(samples), rows) for _, rows in splits], why_not


def _why_not_stratified(labels: NDArray[Any] | None, count: int) -> str | None:
    if labels is None:
        return "there are no class labels"
    classes, counts = np.unique(labels, return_counts=True)
    few = int(counts.argmin())
    if counts[few] >= count:
        return None
    number = "is only 1 sample" if counts[few] == 1 else f"are only {counts[few]} samples"
    return f"of class {classes[few]:.0f} there {number}"


def calibrated_with(recipe: Recipe, others: Mask, labels: NDArray[Any] | None) -> Mask:
    """Choose as many samples of the other folds as the recipe wants, as reading a dataset does."""
    if recipe.samples is None:
        return others
    rows = np.flatnonzero(others)
    survey = Survey(count=len(rows), labels=None if labels is None else labels[rows])
    return np.isin(
        np.arange(len(others)), rows[choose_samples(survey, recipe.samples, recipe.seed)]
    )


def subset(dataset: Dataset, mask: Mask, stem: Path) -> Dataset:
    """Write some samples of a dataset to files next to ``stem``, block by block."""
    files = array_paths(stem, dataset.inputs)
    inputs = {
        name: chosen_rows(array, mask, Path(files[name])) for name, array in dataset.inputs.items()
    }
    return replace(dataset, inputs=inputs, labels={}, files=files)
