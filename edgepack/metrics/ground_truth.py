"""The ground truth that datasets hold for model outputs, checked for each kind of metric.

Each function takes the name of the metric (for error messages), the dataset and the output. It
raises :class:`~edgepack.core.errors.DatasetError` if the data are missing or unsuitable, and
:class:`~edgepack.core.errors.ConfigError` if the metric does not fit the model.
"""

from __future__ import annotations

import numpy as np

from edgepack.core.errors import ConfigError, DatasetError
from edgepack.core.signature import TensorSpec, shape_fits
from edgepack.metrics.metric import Array
from edgepack.metrics.predicted_classes import class_count
from edgepack.metrics.records import RecordArray
from edgepack.storage.arrays import blocks, min_and_max
from edgepack.storage.dataset import Dataset, one_hot_classes

IGNORED = 255
"""The label of positions to ignore, as in PASCAL VOC and Cityscapes."""

NORMAL = "normal"
"""The name of the class of normal samples, in datasets with class names."""


def class_labels(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Return one class number per sample, int64 (samples,), also of one-hot labels."""
    where = _where(name, dataset)
    if len(output.shape) != 1:
        raise ConfigError(
            f"{where} needs one score per class; the model outputs {output}; choose another metric"
        )
    count = class_count(output.shape[0])
    labels = _one_hot(where, dataset, output, count)
    if labels is None:
        labels = _one_per_sample(where, "labels", dataset, output)
    if dataset.classes and len(dataset.classes) != count:
        cure = (
            "create an empty subfolder for each class without samples"
            if len(dataset.classes) < count
            else "remove the subfolders that are no class of the model"
        )
        raise DatasetError(
            f"{where}: {len(dataset.classes)} subfolders (classes) were found, but the model has"
            f" {count} classes; {cure}, or choose another metric"
        )
    if labels.min() < 0 or labels.max() >= count:
        raise DatasetError(
            f"{where}: 'y' contains labels {labels.min():g} to {labels.max():g}; the model's"
            f" classes are 0 to {count - 1}{_cure(labels, count)}"
        )
    return labels.astype(np.int64)


def _cure(labels: Array, count: int) -> str:
    """Return how to count classes from 0, for labels of two other customs."""
    low, high = labels.min(), labels.max()
    if (low, high) == (1, count):
        return ": count from 0, save y - 1"
    if count == 2 and np.isin(labels, (-1, 1)).all():  # noqa: PLR2004 (classes)
        return ": save (y + 1) // 2"
    return ""


def _one_hot(where: str, dataset: Dataset, output: TensorSpec, count: int) -> Array | None:
    """Return the class numbers of one-hot labels of ``count`` classes; None if they are others."""
    y = dataset.labels.get(output.name)
    if y is None or y.ndim <= len(output.shape) or (labels := one_hot_classes(y)) is None:
        return None
    if y.shape[-1] != count:
        raise DatasetError(
            f"{where}: 'y' has one-hot labels of {y.shape[-1]} classes; the model has {count}"
        )
    return labels


def real_targets(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Return the target outputs (samples, ...), in the output's shape."""
    where = _where(name, dataset)
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs target outputs in 'y', which is missing")
    low, high = _extremes(y)
    if max(-low, high) > float(np.finfo(np.float32).max):
        raise DatasetError(
            f"{where}: 'y' contains values beyond the range of float32; rescale them"
        )
    if y.ndim == 1 and output.shape == (1,):
        return y[:, np.newaxis]
    if shape_fits(y.shape[1:], output.shape):
        return y
    raise DatasetError(
        f"{where} needs target outputs; 'y' has shape {y.shape}, the model outputs"
        f" {output}; {_target_cure(y, output)}"
    )


def _target_cure(y: Array, output: TensorSpec) -> str:
    if len(output.shape) == 1 and y.size == len(y) and np.array_equal(y, np.trunc(y)):
        return "for class numbers choose the metric 'accuracy'"
    return "save one target for each value of the output"


def target_vectors(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Return the target outputs, a vector of values per sample, shape (samples, values)."""
    if len(output.shape) != 1:
        raise ConfigError(
            f"{_where(name, dataset)} needs a vector of values per sample; the model outputs"
            f" {output}; choose the metric 'mse'"
        )
    return real_targets(name, dataset, output)


def autoencoder_inputs(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Return the inputs (samples, ...), which an autoencoder is to reconstruct."""
    where = _where(name, dataset)
    if len(dataset.inputs) > 1:
        raise ConfigError(
            f"{where} compares outputs with the input; the model has {len(dataset.inputs)} inputs;"
            " choose another metric"
        )
    (x,) = dataset.inputs.values()
    if x.shape[1:] != output.shape:
        raise ConfigError(
            f"{where} compares outputs with inputs; 'x' has shape {x.shape}, the model outputs"
            f" {output}; choose another metric"
        )
    return x


def inputs_with_anomaly_labels(name: str, dataset: Dataset, output: TensorSpec) -> RecordArray:
    """Return the inputs as ``values``, with a ``label``: 0 for a normal sample, 1 for an anomaly.

    In a dataset with class names, samples of the class called "normal" are normal, and those of all
    other classes are anomalies.
    """
    x = autoencoder_inputs(name, dataset, output)
    where = _where(name, dataset)
    labels = _one_per_sample(where, "labels (0 normal, 1 anomalous)", dataset, output)
    if dataset.classes:
        names = [each.casefold() for each in dataset.classes]
        if NORMAL not in names:
            raise DatasetError(
                f"{where}: no subfolder is called {NORMAL!r}; rename the one of the normal samples"
            )
        labels = labels != names.index(NORMAL)
    elif not np.isin(labels, (0, 1)).all():
        raise DatasetError(
            f"{where} needs 0 for normal samples and 1 for anomalies; 'y' contains"
            f" {labels.min():g} to {labels.max():g}"
        )
    return RecordArray({"label": labels.astype(np.int64), "values": x})


def class_maps(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Return a class number for each position (pixel), shape (samples, height, width).

    :data:`IGNORED` marks positions to ignore, unless the model has a class of that number.
    """
    where = _where(name, dataset)
    if len(output.shape) < 2:  # noqa: PLR2004 (positions and classes)
        raise ConfigError(
            f"{where} needs class scores per position; the model outputs {output}; choose another"
            " metric"
        )
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs the class of each position in 'y', which is missing")
    count = class_count(output.shape[-1])
    one_hot = _one_hot(where, dataset, output, count)
    labels = y[..., 0] if y.ndim == len(output.shape) + 1 and y.shape[-1] == 1 else y
    labels = labels if one_hot is None else one_hot
    if not shape_fits(labels.shape[1:], output.shape[:-1]):
        raise DatasetError(
            f"{where} needs one class number per position; 'y' has shape {y.shape}, the model"
            f" outputs {output}"
        )
    for _, (block,) in blocks(labels):
        if not np.array_equal(block, np.trunc(block)):
            raise DatasetError(f"{where} needs class numbers; 'y' contains fractions")
        counted = block[block != IGNORED] if count <= IGNORED else block
        if counted.size and (counted.min() < 0 or counted.max() >= count):
            raise DatasetError(
                f"{where}: 'y' contains labels {counted.min():g} to {counted.max():g}; the model's"
                f" classes are 0 to {count - 1}, and {IGNORED} marks positions to ignore"
            )
    return labels


def target_images(name: str, dataset: Dataset, output: TensorSpec) -> RecordArray:
    """Return the target images as ``values``, with their ``peak``, the width of the value range."""
    if len(output.shape) not in (2, 3):
        raise ConfigError(
            f"{_where(name, dataset)} needs images, (height, width) or (height, width, channels);"
            f" the model outputs {output}; choose another metric"
        )
    y = real_targets(name, dataset, output)
    return RecordArray({"peak": np.broadcast_to(np.float64(_peak(y)), len(y)), "values": y})


def any_labels(name: str, dataset: Dataset, output: TensorSpec) -> Array:
    """Return ``y`` as it is, of any shape (samples, ...)."""
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{_where(name, dataset)} needs labels in 'y', which is missing")
    return y


def _where(name: str, dataset: Dataset) -> str:
    return f"{dataset.source}: metric {name!r}"


def _one_per_sample(where: str, what: str, dataset: Dataset, output: TensorSpec) -> Array:
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs {what} in 'y', which is missing")
    labels = y.reshape(len(dataset)) if y.size == len(dataset) else y
    if labels.ndim != 1:
        raise DatasetError(
            f"{where} needs one class number per sample, or rows of zeros with a single 1; 'y' has"
            f" shape {y.shape}; if its largest values mark the classes, save y.argmax(axis=1)"
        )
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.trunc(labels)):
        raise DatasetError(f"{where} needs class numbers; 'y' contains fractions")
    return labels


def _peak(y: Array) -> float:
    """Return the width of the range of image values: the whole range of uint8 and uint16.

    For other types, the first of 0 to 1, -1 to 1 and 0 to 255 that contains all values, else the
    range of the values themselves.
    """
    if y.dtype.kind == "u" and y.dtype.itemsize <= 2:  # noqa: PLR2004 (bytes)
        return float(np.iinfo(y.dtype).max)
    low, high = _extremes(y)
    for least, most in ((0, 1), (-1, 1), (0, 255)):
        if least <= low and high <= most:
            return float(most - least)
    return high - low


def _extremes(y: Array) -> tuple[float, float]:
    low, high = min_and_max(y)
    return float(low), float(high)
