"""Datasets of samples on disk, cast to the types of the model's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature
from edgepack.storage.arrays import Arrays, blocks


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples for a model: arrays of shape (samples, ...), cast to the types of its inputs.

    ``inputs`` has an array for each input of the model, ``labels`` one for each output with known
    labels or target values. They are read from disk as needed; ``files`` has the paths of the
    inputs, for workers. ``classes`` are the class names, if there are any. ``source`` names the
    data in messages. ``rows`` are the samples' rows in the source, if not all of it was read, and
    ``names`` those of their files, if each has one. ``unused`` are the names of the source's arrays
    that are neither inputs nor labels.
    """

    source: object
    inputs: Arrays
    labels: Arrays
    files: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def row(self, sample: int) -> int:
        """Return the row of a sample in the source."""
        return self.rows[sample] if self.rows else sample

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def require_same_classes(datasets: Iterable[Dataset]) -> None:
    """Raise :class:`DatasetError` if two datasets have different class names."""
    named = [dataset for dataset in datasets if dataset.classes]
    for dataset in named[1:]:
        if dataset.classes != named[0].classes:
            differing = sorted(set(dataset.classes) ^ set(named[0].classes))
            raise DatasetError(
                f"{dataset.source}: the subfolders are the classes, and {named[0].source} has"
                f" others: {', '.join(differing)}; give both the same subfolders, empty if need be"
            )


def one_hot_classes(labels: NDArray[Any]) -> NDArray[Any] | None:
    """Return the class numbers of one-hot labels, (samples, ...) of (samples, ..., classes).

    None if the labels are not one-hot: a single 1 along the last axis, and otherwise zeros.

    >>> one_hot_classes(np.array([[0, 0, 1], [1, 0, 0]]))
    array([2, 0], dtype=uint8)
    >>> one_hot_classes(np.array([[0, 1, 1], [1, 0, 0]]))
    """
    *shape, classes = labels.shape
    if len(shape) < 1 or classes < 2:  # noqa: PLR2004 (a single value says nothing of others)
        return None
    numbers = np.empty(shape, np.min_scalar_type(classes - 1))
    for rows, (block,) in blocks(labels):
        is_one = block == 1
        if not (is_one | (block == 0)).all() or not (is_one.sum(axis=-1) == 1).all():
            return None
        numbers[rows] = is_one.argmax(axis=-1)
    return numbers


def labels_by_class(dataset: Dataset, output: str) -> NDArray[Any] | None:
    """Return the class numbers of an output, shape (samples,).

    None if the labels are neither one integer for each sample nor one-hot.
    """
    y = dataset.labels.get(output)
    if y is None:
        return None
    if y.size != len(y):
        return one_hot_classes(y) if y.ndim == 2 else None  # noqa: PLR2004 (samples, classes)
    labels = np.asarray(y).reshape(len(y))
    return labels if np.array_equal(labels, np.trunc(labels)) else None


def first_class_labels(dataset: Dataset, signature: Signature) -> NDArray[Any] | None:
    """Return the class numbers of the first output that has any, shape (samples,); or None."""
    candidates = (labels_by_class(dataset, output.name) for output in signature.outputs)
    return next((labels for labels in candidates if labels is not None), None)
