"""Folds of a dataset: the choice of their samples, and files with subsets of a dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sampling import choose_samples
from edgepack.calibration.datasets.sources.source import Survey
from edgepack.config.export import ExportConfig
from edgepack.core.errors import ConfigError
from edgepack.evaluation.paired_outputs import Mask
from edgepack.storage.array_writer import write_selected_rows
from edgepack.storage.arrays import array_paths
from edgepack.storage.dataset import Dataset

_SEED = 0


def choose_folds(
    labels: NDArray[Any] | None, samples: int, count: int, source: object
) -> tuple[list[Mask], str | None]:
    """Choose the samples of each fold; returns their masks, (samples,), and why not stratified.

    The reason is None if the folds are stratified by ``labels``, (samples,). ``source`` names the
    dataset in messages. Raises :class:`ConfigError` for fewer samples than folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if samples < count:
        raise ConfigError(
            f"folds {count}: {source} has {samples} samples; give more, or use fewer folds"
        )
    why_unstratified = _why_unstratified(labels, count)
    kind = KFold if why_unstratified else StratifiedKFold
    splits = kind(count, shuffle=True, random_state=_SEED).split(np.empty(samples), labels)
    return [np.isin(np.arange(samples), rows) for _, rows in splits], why_unstratified


def _why_unstratified(labels: NDArray[Any] | None, count: int) -> str | None:
    if labels is None:
        return "there are no class labels"
    classes, counts = np.unique(labels, return_counts=True)
    rarest = int(counts.argmin())
    if counts[rarest] >= count:
        return None
    number = "only 1 sample" if counts[rarest] == 1 else f"only {counts[rarest]} samples"
    return f"class {classes[rarest]:.0f} has {number}"


def choose_calibration_samples(
    config: ExportConfig, others: Mask, labels: NDArray[Any] | None
) -> Mask:
    """Choose ``config.samples`` samples from the ``others``, as the dataset reader does.

    Masks and ``labels`` are (samples,).
    """
    if config.samples is None:
        return others
    rows = np.flatnonzero(others)
    survey = Survey(count=len(rows), labels=None if labels is None else labels[rows])
    return np.isin(
        np.arange(len(others)), rows[choose_samples(survey, config.samples, config.seed)]
    )


def subset(dataset: Dataset, mask: Mask, stem: Path) -> Dataset:
    """Write the samples in a mask, (samples,), to files next to ``stem``, block by block."""
    files = array_paths(stem, dataset.inputs)
    inputs = {
        name: write_selected_rows(array, mask, Path(files[name]))
        for name, array in dataset.inputs.items()
    }
    kept = np.flatnonzero(mask)
    return replace(
        dataset,
        inputs=inputs,
        labels={},
        files=files,
        rows=tuple(dataset.row(int(sample)) for sample in kept),
        names=tuple(dataset.names[sample] for sample in kept) if dataset.names else (),
    )
