"""Metrics: how good a model's outputs are, as one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.dataset import Dataset
from edgepack.errors import DatasetError, RecipeError
from edgepack.types import TensorSpec

Array = NDArray[Any]


class Loss(str, Enum):
    """What fine-tuning minimizes, by the metric it serves."""

    CROSS_ENTROPY = "cross-entropy"
    MEAN_SQUARED_ERROR = "mean-squared-error"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric by its name in recipes and reports.

    ``reference`` picks from a dataset what the outputs are measured against, and raises
    :class:`DatasetError` where it is missing or unfit. ``score`` takes outputs, reference and the
    decision boundary. ``is_fraction`` says that values are fractions of the samples, told in
    points.
    """

    name: str
    reference: Callable[[Dataset, TensorSpec], Array]
    score: Callable[[Array, Array, float], float]
    loss: Loss
    is_fraction: bool = False


def are_probabilities(outputs: Array) -> bool:
    """Whether outputs are probabilities rather than logits: all of them lie in 0 to 1."""
    return bool(outputs.min() >= 0 and outputs.max() <= 1)


def decision_boundary(outputs: Array) -> float:
    """Find from where on a lone output of the float model means yes: 0.5, or 0 for logits."""
    return 0.5 if are_probabilities(outputs) else 0.0


def classes(outputs: Array, boundary: float) -> Array:
    """Turn outputs (samples, classes) into class numbers; from the boundary on one means yes."""
    if outputs.shape[-1] == 1:
        return np.asarray(outputs[..., 0] >= boundary).astype(np.int64)
    return np.asarray(outputs.argmax(axis=-1))


def accuracy(outputs: Array, labels: Array, boundary: float) -> float:
    """Compute the fraction of samples whose class is their label."""
    return float((classes(outputs, boundary) == labels).mean())


def mean_squared_error(outputs: Array, values: Array, boundary: float) -> float:  # noqa: ARG001
    """Compute the mean of the squared differences, over all samples and values, in float64."""
    difference = outputs.astype(np.float64) - values.astype(np.float64)
    return float(np.square(difference).mean())


def _labels(dataset: Dataset, output: TensorSpec) -> Array:
    where = f"{dataset.source}: metric 'accuracy'"
    if len(output.shape) != 1:
        raise RecipeError(
            f"{where} needs one score for each class; the model gives {output}; choose another"
        )
    if dataset.y is None:
        raise DatasetError(f"{where} needs labels in 'y', which is missing")
    labels = dataset.y.reshape(len(dataset)) if dataset.y.size == len(dataset) else dataset.y
    if labels.ndim != 1:
        raise DatasetError(
            f"{where} needs one class number for each sample; 'y' has shape {dataset.y.shape};"
            " for one-hot labels save y.argmax(axis=1)"
        )
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.trunc(labels)):
        raise DatasetError(f"{where} needs class numbers; 'y' holds fractions")
    count = max(output.shape[0] or 0, 2)
    if labels.min() < 0 or labels.max() >= count:
        raise DatasetError(
            f"{where}: 'y' holds labels {labels.min():g} to {labels.max():g}; the model knows the"
            f" classes 0 to {count - 1}"
        )
    return labels.astype(np.int64)


def _values(dataset: Dataset, output: TensorSpec) -> Array:
    where = f"{dataset.source}: metric 'mse'"
    if dataset.y is None:
        raise DatasetError(f"{where} needs the wanted outputs in 'y', which is missing")
    if np.abs(dataset.y).max() > np.finfo(np.float32).max:
        raise DatasetError(f"{where}: 'y' holds values beyond float32; rescale them")
    if dataset.y.ndim == 1 and output.shape == (1,):
        return dataset.y[:, np.newaxis]
    if dataset.y.shape[1:] == output.shape:
        return dataset.y
    raise DatasetError(
        f"{where} needs the wanted outputs; 'y' has shape {dataset.y.shape}, the model gives"
        f" {output}; for class numbers choose the metric 'accuracy'"
    )


def _inputs(dataset: Dataset, output: TensorSpec) -> Array:
    if dataset.x.shape[1:] != output.shape:
        raise RecipeError(
            f"{dataset.source}: metric 'reconstruction-mse' compares outputs with inputs; 'x' has"
            f" shape {dataset.x.shape}, the model gives {output}; choose another metric"
        )
    return dataset.x


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy",
            reference=_labels,
            score=accuracy,
            loss=Loss.CROSS_ENTROPY,
            is_fraction=True,
        ),
        Metric(
            name="mse",
            reference=_values,
            score=mean_squared_error,
            loss=Loss.MEAN_SQUARED_ERROR,
        ),
        Metric(
            name="reconstruction-mse",
            reference=_inputs,
            score=mean_squared_error,
            loss=Loss.MEAN_SQUARED_ERROR,
        ),
    )
}


def require_known(name: str | None) -> None:
    """Raise :class:`RecipeError` for the name of no metric."""
    if name is not None and name not in METRICS:
        raise RecipeError(f"unknown metric {name!r}: known metrics: {', '.join(METRICS)}")


def choose(name: str | None, dataset: Dataset, output: TensorSpec) -> Metric | None:
    """Find a metric by name; without one, by the labels.

    Whole numbers, one a sample, are class numbers if the model has several outputs, or if they
    are no others than 0 and 1; everything else is values. None means that there are no labels and
    none was asked for.
    """
    require_known(name)
    if name is not None:
        return METRICS[name]
    if dataset.y is None:
        return None
    y = dataset.y
    is_one_a_sample = y.size == len(dataset) and len(output.shape) == 1
    are_classes = is_one_a_sample and (
        np.array_equal(y, np.trunc(y)) if output.shape[0] != 1 else bool(np.isin(y, (0, 1)).all())
    )
    return METRICS["accuracy" if are_classes else "mse"]
