"""Samples of a model on disk, cast to what it takes: what is calibrated with, and measured on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples of a model: arrays of shape (samples, ...), cast to what its inputs take.

    ``inputs`` has an array for each input of the model, ``labels`` one for each output whose
    labels or values are known; they are read from disk as they are used, and ``files`` has the
    paths of the inputs, for workers. ``classes`` are the names of the labels, if they have names.
    ``source`` names the data in messages.
    """

    source: object
    inputs: Arrays
    labels: Arrays
    files: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def require_same_classes(datasets: Iterable[Dataset]) -> None:
    """Raise :class:`DatasetError` if the same label means different classes in two datasets."""
    named = [dataset for dataset in datasets if dataset.classes]
    for dataset in named[1:]:
        if dataset.classes != named[0].classes:
            only = sorted(set(dataset.classes) ^ set(named[0].classes))
            raise DatasetError(
                f"{dataset.source}: the subfolders are the classes, and {named[0].source} has"
                f" others: {', '.join(only)}; give both the same ones, empty if need be"
            )


def labels_by_class(dataset: Dataset, output: str) -> NDArray[Any] | None:
    """Give the labels of an output, shape (samples,), if they are one whole number a sample."""
    y = dataset.labels.get(output)
    if y is None or y.size != len(y):
        return None
    labels = np.asarray(y).reshape(len(y))
    return labels if np.array_equal(labels, np.trunc(labels)) else None


def first_class_labels(dataset: Dataset, signature: Signature) -> NDArray[Any] | None:
    """Give those of the first output that has any."""
    found = (labels_by_class(dataset, output.name) for output in signature.outputs)
    return next((labels for labels in found if labels is not None), None)
