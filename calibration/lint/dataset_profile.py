"""Statistics of a dataset for its rules, collected in one pass with bounded memory."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.peaks import Outlier, Peaks
from edgepack.calibration.datasets.content_order import sample_digests
from edgepack.core.errors import UsageError
from edgepack.core.signature import Signature
from edgepack.metrics import choose_measures
from edgepack.storage.arrays import Arrays, blocks, read_slice
from edgepack.storage.dataset import Dataset

_DIGEST_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class InputOutlier:
    """An outlier, its ``place`` in the dataset as given, and the file that it is in, if any.

    The place is the sample's row and the indices within the sample.
    """

    found: Outlier
    place: tuple[int, ...]
    file: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class InputProfile:
    """Statistics of one input: ``minimum`` and ``maximum`` by channel, the others over all values.

    The channels are the last axis; samples that are single numbers have one channel. ``is_binary``
    is whether all values are 0 or 1. ``outlier`` is a value of a single sample that is far beyond
    all others.
    """

    dtype: str
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: float
    deviation: float
    is_binary: bool
    outlier: InputOutlier | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """The statistics of a dataset.

    ``role`` is the dataset's role. ``digests`` has a hash of each sample, over all its inputs;
    ``classes`` the number of samples of each of the model's classes, shape (classes,), by output.
    """

    role: str
    inputs: dict[str, InputProfile]
    digests: tuple[bytes, ...]
    classes: dict[str, NDArray[np.int64]]

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.digests)


def profile_dataset(role: str, dataset: Dataset, signature: Signature) -> Profile:
    """Collect the statistics of a dataset in one pass, in blocks."""
    class_counts = {output.name: max(output.shape[-1] or 0, 2) for output in signature.outputs}
    return Profile(
        role=role,
        inputs={
            name: replace(_input_profile(array), outlier=_outlier(dataset, array))
            for name, array in dataset.inputs.items()
        },
        digests=tuple(sample_digests(dataset.inputs, size=_DIGEST_BYTES)),
        classes={
            name: np.bincount(labels, minlength=class_counts[name])
            for name, labels in find_class_labels(dataset, signature).items()
        },
    )


def find_class_labels(dataset: Dataset, signature: Signature) -> Arrays:
    """Return the labels that are class numbers, int64 of shape (samples,), by output."""
    with suppress(UsageError):  # labels that fit no metric are reported where one is requested
        return {
            name: measure.wanted[:]
            for name, measure in choose_measures(None, dataset, signature).items()
            if measure.metric.name == "accuracy"
        }
    return {}


def _input_profile(array: NDArray[Any]) -> InputProfile:
    shape = array.shape[-1:] if array.ndim > 1 else (1,)
    minimum, maximum = np.full(shape, np.inf), np.full(shape, -np.inf)
    total = squares = 0.0
    is_binary = True
    for _, (block,) in blocks(array):
        values = block.reshape(-1, *shape).astype(np.float64)
        np.minimum(minimum, values.min(axis=0), out=minimum)
        np.maximum(maximum, values.max(axis=0), out=maximum)
        total += float(values.sum())
        squares += float(np.square(values).sum())
        is_binary = is_binary and bool(((values == 0) | (values == 1)).all())
    mean = total / array.size
    variance = max(squares / array.size - mean * mean, 0.0)
    return InputProfile(
        dtype=array.dtype.name,
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        deviation=variance**0.5,
        is_binary=is_binary,
    )


def _outlier(dataset: Dataset, array: NDArray[Any]) -> InputOutlier | None:
    peaks = Peaks.none(1)
    for rows, (block,) in blocks(array):
        values = block.reshape(1, len(block), -1)
        samples = np.arange(rows.start, rows.stop)
        peaks = peaks.merged(Peaks.of(values.min(axis=2), values.max(axis=2), samples))
    found = peaks.outlier(0) if array.dtype.kind == "f" else None
    if found is None:
        return None
    sample = read_slice(array, slice(found.sample, found.sample + 1))[0]
    place = np.unravel_index(int((sample * np.sign(found.value)).argmax()), sample.shape)
    return InputOutlier(
        found=found,
        place=(dataset.row(found.sample), *map(int, place)),
        file=dataset.names[found.sample] if dataset.names else None,
    )
