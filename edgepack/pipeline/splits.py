"""Folds of a dataset: which samples belong to each, and files with some of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import load_array, load_arrays, read_rows
from edgepack.calibration.dataset import Dataset
from edgepack.calibration.sampling import choose
from edgepack.calibration.sources.source import Survey
from edgepack.errors import RecipeError
from edgepack.recipe import Recipe
from edgepack.spool import Spool

_SEED = 0
_BLOCK_BYTES = 1 << 22

Mask = NDArray[np.bool_]
"""Which samples, shape (samples,)."""


def held_out(wanted: NDArray[Any], count: int, source: object) -> tuple[list[Mask], str | None]:
    """Choose each fold's samples, and say why the folds are not stratified; None if they are.

    Raises :class:`RecipeError` for fewer samples than folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    samples = len(wanted)
    if samples < count:
        raise RecipeError(
            f"folds {count}: {source} has {samples} samples; give more, or ask for fewer folds"
        )
    why_not = _why_not_stratified(wanted, count)
    kind = KFold if why_not else StratifiedKFold
    splits = kind(count, shuffle=True, random_state=_SEED).split(np.empty(samples), wanted)
    return [np.isin(np.arange(samples), rows) for _, rows in splits], why_not


def _why_not_stratified(wanted: NDArray[Any], count: int) -> str | None:
    if not _are_labels(wanted):
        return "there are no class labels"
    labels, counts = np.unique(wanted, return_counts=True)
    few = int(counts.argmin())
    if counts[few] >= count:
        return None
    return f"of class {labels[few]} there are only {counts[few]} samples"


def _are_labels(wanted: NDArray[Any]) -> bool:
    return wanted.ndim == 1 and wanted.dtype.kind in "biu"


def calibrated_with(recipe: Recipe, others: Mask, labels: NDArray[Any]) -> Mask:
    """Choose as many samples of the other folds as the recipe wants, as reading a dataset does."""
    if recipe.samples is None:
        return others
    rows = np.flatnonzero(others)
    survey = Survey(count=len(rows), labels=labels[rows] if _are_labels(labels) else None)
    return np.isin(np.arange(len(others)), rows[choose(survey, recipe.samples, recipe.seed)])


def subset(dataset: Dataset, mask: Mask, stem: Path) -> Dataset:
    """Write some samples of a dataset to files next to ``stem``, block by block."""
    files = {}
    for index, (key, path) in enumerate(dataset.files.items()):
        with Spool(stem.with_name(f"{stem.name}-{index}.npy")) as spool:
            for start, block in _blocks(Path(path)):
                if (chosen := mask[start : start + len(block)]).any():
                    spool.add(block[chosen])
        files[key] = str(spool.path)
    return replace(dataset, inputs=load_arrays(files), labels={}, files=files)


def _blocks(path: Path) -> Iterator[tuple[int, NDArray[Any]]]:
    """Read an .npy file block by block: rows, and where they begin."""
    array = load_array(path)
    rows = max(1, _BLOCK_BYTES // max(array[:1].nbytes, 1))
    for start in range(0, len(array), rows):
        yield start, read_rows(path, start, start + rows)
