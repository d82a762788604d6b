"""Metrics: how good a model's outputs are, as one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.dataset import Dataset
from edgepack.errors import DatasetError, RecipeError, UsageError
from edgepack.types import Signature, TensorSpec

Array = NDArray[Any]


class Loss(str, Enum):
    """What fine-tuning minimizes, by the metric it serves."""

    CROSS_ENTROPY = "cross-entropy"
    MEAN_SQUARED_ERROR = "mean-squared-error"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric by its name in recipes and reports.

    ``wanted`` picks from a dataset what an output is measured against, and raises
    :class:`DatasetError` where it is missing or unfit. ``score`` takes outputs, what was wanted
    and the decision boundary. ``is_fraction`` says that values are fractions of the samples, told
    in points.
    """

    name: str
    wanted: Callable[[Dataset, TensorSpec], Array]
    score: Callable[[Array, Array, float], float]
    loss: Loss
    is_fraction: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """A metric and what it holds one output of a model against, shape (samples, ...)."""

    metric: Metric
    wanted: Array


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
    y = dataset.labels.get(output.name)
    if len(output.shape) != 1:
        raise RecipeError(
            f"{where} needs one score for each class; the model gives {output}; choose another"
        )
    if y is None:
        raise DatasetError(f"{where} needs labels in 'y', which is missing")
    labels = y.reshape(len(dataset)) if y.size == len(dataset) else y
    if labels.ndim != 1:
        raise DatasetError(
            f"{where} needs one class number for each sample; 'y' has shape {y.shape};"
            " for one-hot labels save y.argmax(axis=1)"
        )
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.trunc(labels)):
        raise DatasetError(f"{where} needs class numbers; 'y' holds fractions")
    count = max(output.shape[0] or 0, 2)
    if dataset.classes and len(dataset.classes) != count:
        raise DatasetError(
            f"{where}: the subfolders are {len(dataset.classes)} classes, the model knows {count};"
            " make an empty one for each that has no samples, or choose another metric"
        )
    if labels.min() < 0 or labels.max() >= count:
        raise DatasetError(
            f"{where}: 'y' holds labels {labels.min():g} to {labels.max():g}; the model knows the"
            f" classes 0 to {count - 1}"
        )
    return labels.astype(np.int64)


def _values(dataset: Dataset, output: TensorSpec) -> Array:
    where = f"{dataset.source}: metric 'mse'"
    y = dataset.labels.get(output.name)
    if y is None:
        raise DatasetError(f"{where} needs the wanted outputs in 'y', which is missing")
    if np.abs(y).max() > np.finfo(np.float32).max:
        raise DatasetError(f"{where}: 'y' holds values beyond float32; rescale them")
    if y.ndim == 1 and output.shape == (1,):
        return y[:, np.newaxis]
    if y.ndim == len(output.shape) + 1 and all(
        size in (None, found) for size, found in zip(output.shape, y.shape[1:], strict=True)
    ):
        return y
    raise DatasetError(
        f"{where} needs the wanted outputs; 'y' has shape {y.shape}, the model gives"
        f" {output}; for class numbers choose the metric 'accuracy'"
    )


def _inputs(dataset: Dataset, output: TensorSpec) -> Array:
    where = f"{dataset.source}: metric 'reconstruction-mse'"
    if len(dataset.inputs) > 1:
        raise RecipeError(
            f"{where} compares outputs with the input; the model has {len(dataset.inputs)};"
            " choose another metric"
        )
    (x,) = dataset.inputs.values()
    if x.shape[1:] != output.shape:
        raise RecipeError(
            f"{where} compares outputs with inputs; 'x' has shape {x.shape}, the model gives"
            f" {output}; choose another metric"
        )
    return x


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy",
            wanted=_labels,
            score=accuracy,
            loss=Loss.CROSS_ENTROPY,
            is_fraction=True,
        ),
        Metric(
            name="mse",
            wanted=_values,
            score=mean_squared_error,
            loss=Loss.MEAN_SQUARED_ERROR,
        ),
        Metric(
            name="reconstruction-mse",
            wanted=_inputs,
            score=mean_squared_error,
            loss=Loss.MEAN_SQUARED_ERROR,
        ),
    )
}


def require_known(name: str | None) -> None:
    """Raise :class:`RecipeError` for the name of no metric."""
    if name is not None and name not in METRICS:
        raise RecipeError(f"unknown metric {name!r}: known metrics: {', '.join(METRICS)}")


def measures(name: str | None, dataset: Dataset, signature: Signature) -> dict[str, Measure]:
    """Choose how each output is measured, by its name; outputs that are not are left out.

    A metric that is named must fit an output at least. Without a name the labels choose: whole
    numbers, one a sample, are class numbers if the output has several values, or if they are no
    others than 0 and 1; everything else is values. Raises :class:`DatasetError` and
    :class:`RecipeError` for labels that do not fit, or a metric that fits nowhere.
    """
    require_known(name)
    found: dict[str, Measure] = {}
    refusals: list[UsageError] = []
    for output in signature.outputs:
        labels = dataset.labels.get(output.name)
        if name is None and labels is None:
            continue
        metric = METRICS[name or _by_labels(labels, output)]
        try:
            found[output.name] = Measure(metric=metric, wanted=metric.wanted(dataset, output))
        except UsageError as error:
            refusals.append(error)
    if refusals and (name is None or not found):
        raise refusals[0]
    return found


def _by_labels(labels: Array | None, output: TensorSpec) -> str:
    if labels is None or labels.size != len(labels) or len(output.shape) != 1:
        return "mse"
    is_whole = np.array_equal(labels, np.trunc(labels))
    are_classes = is_whole if output.shape[0] != 1 else bool(np.isin(labels, (0, 1)).all())
    return "accuracy" if are_classes else "mse"
