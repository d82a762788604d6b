"""What a dataset has to hold the outputs of a model against.

Each function takes the name of the metric, for messages, besides the dataset and the output, and
raises :class:`~edgepack.core.errors.DatasetError` for data that are missing or unfit and
:class:`~edgepack.core.errors.ConfigError` where the metric does not fit the model.
"""

from __future__ import annotations

import numpy as np

from edgepack.core.errors import ConfigError, DatasetError
from edgepack.core.signature import TensorSpec, fits
from edgepack.metrics.metric import Array
from edgepack.metrics.predicted_classes import class_count
from edgepack.metrics.records import RecordArray
from edgepack.storage.arrays import blocks, extremes
from edgepack.storage.dataset import Dataset

IGNORED = 255
"""The label of positions that do not count, as in PASCAL VOC and Cityscapes."""

NORMAL = "normal"
"""The class that is no anomaly, where classes have names."""


def labels(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Give one class number for each sample, int64 of shape (samples,)."""
    where = _where(name, dataset)
    if len(output.shape) != 1:
        raise ConfigError(
            f"{where} needs one score for each class; the model gives {output}; choose another"
        )
    found = _one_each(where, "labels", dataset, output)
    count = class_count(output.shape[0])
    if dataset.classes and len(dataset.classes) != count:
        raise DatasetError(
            f"{where}: the subfolders are {len(dataset.classes)} classes, the model knows {count};"
            " make an empty one for each that has no samples, or choose another metric"
        )
    if found.min() < 0 or found.max() >= count:
        raise DatasetError(
            f"{where}: 'y' holds labels {found.min():g} to {found.max():g}; the model knows the"
            f" classes 0 to {count - 1}"
        )
    return found.astype(np.int64)


def real_targets(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Give the wanted outputs, of the output's shape."""
    where = _where(name, dataset)
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs the wanted outputs in 'y', which is missing")
    low, high = _ends(y)
    if max(-low, high) > np.finfo(np.float32).max:
        raise DatasetError(f"{where}: 'y' holds values beyond float32; rescale them")
    if y.ndim == 1 and output.shape == (1,):
        return y[:, np.newaxis]
    if fits(y.shape[1:], output.shape):
        return y
    raise DatasetError(
        f"{where} needs the wanted outputs; 'y' has shape {y.shape}, the model gives"
        f" {output}; for class numbers choose the metric 'accuracy'"
    )


def vectors(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Give the wanted outputs, a few values for each sample, shape (samples, values)."""
    if len(output.shape) != 1:
        raise ConfigError(
            f"{_where(name, dataset)} needs a row of values for each sample; the model gives"
            f" {output}; choose the metric 'mse'"
        )
    return real_targets(name, dataset, output)


def inputs(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Give the inputs, which an autoencoder is to give back."""
    where = _where(name, dataset)
    if len(dataset.inputs) > 1:
        raise ConfigError(
            f"{where} compares outputs with the input; the model has {len(dataset.inputs)};"
            " choose another metric"
        )
    (x,) = dataset.inputs.values()
    if x.shape[1:] != output.shape:
        raise ConfigError(
            f"{where} compares outputs with inputs; 'x' has shape {x.shape}, the model gives"
            f" {output}; choose another metric"
        )
    return x


def marked_inputs(name: str, dataset: Dataset, output: TensorSpec) -> RecordArray:
    """Give the inputs as ``values``, with a ``label``: 0 for a normal sample, 1 for an anomaly.

    Of classes that have names, the one called "normal" is, and all others are anomalies.
    """
    x = inputs(name, dataset, output)
    where = _where(name, dataset)
    found = _one_each(where, "labels (0 normal, 1 anomalous)", dataset, output)
    if dataset.classes:
        names = [each.casefold() for each in dataset.classes]
        if NORMAL not in names:
            raise DatasetError(
                f"{where}: no subfolder is called {NORMAL!r}; name the one of the normal samples so"
            )
        found = found != names.index(NORMAL)
    elif not np.isin(found, (0, 1)).all():
        raise DatasetError(
            f"{where} needs 0 for normal samples and 1 for anomalies; 'y' holds {found.min():g} to"
            f" {found.max():g}"
        )
    return RecordArray({"label": found.astype(np.int64), "values": x})


def maps(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Give a class number for each position (pixel), shape (samples, height, width).

    :data:`IGNORED` stands for none, unless the model knows so many classes.
    """
    where = _where(name, dataset)
    if len(output.shape) < 2:  # noqa: PLR2004 (positions and classes)
        raise ConfigError(
            f"{where} needs scores for each position; the model gives {output}; choose another"
        )
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs the class of each position in 'y', which is missing")
    found = y[..., 0] if y.ndim == len(output.shape) + 1 and y.shape[-1] == 1 else y
    if not fits(found.shape[1:], output.shape[:-1]):
        raise DatasetError(
            f"{where} needs a class number for each position; 'y' has shape {y.shape}, the model"
            f" gives {output}"
        )
    count = class_count(output.shape[-1])
    for _, (block,) in blocks(found):
        if not np.array_equal(block, np.trunc(block)):
            raise DatasetError(f"{where} needs class numbers; 'y' holds fractions")
        counted = block[block != IGNORED] if count <= IGNORED else block
        if counted.size and (counted.min() < 0 or counted.max() >= count):
            raise DatasetError(
                f"{where}: 'y' holds labels {counted.min():g} to {counted.max():g}; the model knows"
                f" the classes 0 to {count - 1}, and {IGNORED} for positions that do not count"
            )
    return found


def pictures(name: str, dataset: Dataset, output: TensorSpec) -> RecordArray:
    """Give the wanted pictures as ``values``, with the ``peak`` that they may reach."""
    if len(output.shape) not in (2, 3):
        raise ConfigError(
            f"{_where(name, dataset)} needs pictures, (height, width) or (height, width, channels);"
            f" the model gives {output}; choose another"
        )
    y = real_targets(name, dataset, output)
    return RecordArray({"peak": np.broadcast_to(np.float64(_peak(y)), len(y)), "values": y})


def anything(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Give what ``y`` holds, of any shape."""
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{_where(name, dataset)} needs labels in 'y', which is missing")
    return y


def _where(name: str, dataset: Dataset) -> str:
    return f"{dataset.source}: metric {name!r}"


def _one_each(where: str, what: str, dataset: Dataset, output: TensorSpec) -> Array:
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs {what} in 'y', which is missing")
    found = y.reshape(len(dataset)) if y.size == len(dataset) else y
    if found.ndim != 1:
        raise DatasetError(
            f"{where} needs one class number for each sample; 'y' has shape {y.shape};"
            " for one-hot labels save y.argmax(axis=1)"
        )
    if found.dtype.kind == "f" and not np.array_equal(found, np.trunc(found)):
        raise DatasetError(f"{where} needs class numbers; 'y' holds fractions")
    return found


def _peak(y: Array) -> float:
    """Find the range that pictures may have: of whole bytes that of their type, else what holds.

    Others range from 0 to 1, -1 to 1 or 0 to 255, the first of these that holds them all; or as
    far as they do.
    """
    if y.dtype.kind == "u" and y.dtype.itemsize <= 2:  # noqa: PLR2004 (bytes)
        return float(np.iinfo(y.dtype).max)
    low, high = _ends(y)
    for least, most in ((0, 1), (-1, 1), (0, 255)):
        if least <= low and high <= most:
            return float(most - least)
    return high - low


def _ends(y: Array) -> tuple[float, float]:
    low, high = extremes(y)
    return float(low), float(high)
