"""The known metrics, and the choice of those that fit a dataset and a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from edgepack.config.inputs import is_function_name
from edgepack.core.errors import ConfigError, MissingToolError, UsageError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.core.wording import did_you_mean
from edgepack.metrics.anomaly import ANOMALY, RECONSTRUCTION
from edgepack.metrics.classification import CLASSIFICATION, top_k_accuracy
from edgepack.metrics.generation import GENERATION
from edgepack.metrics.metric import Array, Family, Measure, Metric, Rows
from edgepack.metrics.predicted_classes import class_count
from edgepack.metrics.regression import REGRESSION
from edgepack.metrics.segmentation import SEGMENTATION
from edgepack.metrics.user_metric import user_metric
from edgepack.storage.arrays import blocks
from edgepack.storage.dataset import Dataset, one_hot_classes

METRICS = {
    metric.name: metric
    for family in (CLASSIFICATION, REGRESSION, ANOMALY, SEGMENTATION, GENERATION)
    for metric in family
}
"""The metrics with fixed names; :func:`find_metric` also finds top-K and user-defined ones."""

_TOP = re.compile(r"top-([2-9]|[1-9][0-9]{1,5})")
_MANY_CLASSES = 10  # with so many or more, top-5 is reported instead of top-2
_MIN_CLASSES = 3  # with two classes, top-2 is always 1


def find_built_in_metric(name: str) -> Metric | None:
    """Find a built-in metric by its name; None for any other name.

    User-defined metrics are not imported, as names read from a report cannot be trusted.
    """
    if match := _TOP.fullmatch(name):
        return top_k_accuracy(int(match[1]))
    return METRICS.get(name)


def find_metric(name: str) -> Metric:
    """Find a metric by its name: one of :data:`METRICS`, ``top-K``, or ``module:function``.

    Raises :class:`ConfigError` if the name is not that of a metric.
    """
    if metric := find_built_in_metric(name):
        return metric
    if is_function_name(name):
        return user_metric(name)
    raise ConfigError(
        f"unknown metric {name!r}: {did_you_mean(name, [*METRICS, 'top-5'])}known metrics:"
        f" {', '.join(METRICS)}, top-K (such as top-5), and your own functions as MODULE:FUNCTION"
    )


def require_known_metric(name: str | None) -> None:
    """Raise :class:`ConfigError` if a name is not that of a metric."""
    if name is not None:
        find_metric(name)


def choose_measures(name: str | None, dataset: Dataset, signature: Signature) -> dict[str, Measure]:
    """Choose the metric and targets of each output, by output name; unmeasured outputs are omitted.

    A metric requested by ``name`` must fit at least one output. If ``name`` is None, the labels
    decide:

    - Rows of zeros with a single 1 are one-hot class numbers, or those of a class map.
    - Integers, one per sample, are class numbers if the output has several values, or if all are
      0 or 1.
    - Integers, one per position of an output with more axes, are a class map.
    - Labels 0 and 1 for an output of the input's shape mark anomalies.
    - Everything else is real-valued targets.

    Raises :class:`DatasetError` and :class:`ConfigError` for labels that do not fit, or a metric
    that fits no output.
    """
    requested = None if name is None else find_metric(name)
    measures: dict[str, Measure] = {}
    errors: list[UsageError] = []
    for output in signature.outputs:
        labels = dataset.labels.get(output.name)
        if requested is None and labels is None:
            continue
        metric = requested or METRICS[_metric_for_labels(labels, dataset, output)]
        try:
            measures[output.name] = Measure(metric=metric, wanted=metric.wanted(dataset, output))
        except UsageError as error:
            errors.append(error)
    if errors and (requested is None or not measures):
        raise errors[0]
    return measures


def _metric_for_labels(labels: Array | None, dataset: Dataset, output: TensorSpec) -> str:
    if labels is None:
        return "mse"
    is_one_hot = labels.ndim == len(output.shape) + 1 and one_hot_classes(labels) is not None
    is_one_per_sample = labels.size == len(labels) or (is_one_hot and len(output.shape) == 1)
    is_map = (
        not is_one_per_sample
        and len(output.shape) > 1
        and (is_one_hot or labels.ndim == len(output.shape))
    )
    if not (is_one_per_sample or is_map) or not _are_integers(labels):
        return "mse"
    if is_map:
        return "miou"
    if not is_one_hot and _is_autoencoder(dataset, output) and np.isin(labels, (0, 1)).all():
        return "anomaly-auc"
    if len(output.shape) != 1:
        return "mse"
    are_classes = output.shape[0] != 1 or bool(np.isin(labels, (0, 1)).all())
    return "accuracy" if are_classes else "mse"


def _are_integers(labels: Array) -> bool:
    return labels.dtype.kind != "f" or all(
        np.array_equal(block, np.trunc(block)) for _, (block,) in blocks(labels)
    )


def _is_autoencoder(dataset: Dataset, output: TensorSpec) -> bool:
    """Whether an output has the only input's shape, and more values than a few class scores."""
    shapes = [array.shape[1:] for array in dataset.inputs.values()]
    return shapes == [output.shape] and int(np.prod(shapes[0])) > _MANY_CLASSES


def choose_training_measures(
    name: str | None, dataset: Dataset, signature: Signature
) -> dict[str, Measure]:
    """Choose the metric and training targets of each output, as :func:`choose_measures`.

    All have a loss: for an anomaly metric, the autoencoder is trained to reconstruct its input.
    Also raises :class:`ConfigError` for a metric without a loss.
    """
    if name is not None and find_metric(name).family is Family.ANOMALY:
        name = RECONSTRUCTION.name
    measures = choose_measures(name, dataset, signature)
    return {
        output.name: _with_loss(measures[output.name], dataset, output)
        for output in signature.outputs
        if output.name in measures
    }


def _with_loss(measure: Measure, dataset: Dataset, output: TensorSpec) -> Measure:
    if measure.metric.family is Family.ANOMALY:
        return Measure(metric=RECONSTRUCTION, wanted=RECONSTRUCTION.wanted(dataset, output))
    if measure.metric.loss is None:
        raise ConfigError(
            f"{dataset.source}: fine-tuning has no loss for the metric {measure.metric.name!r};"
            " choose another metric, or the loss 'distillation'"
        )
    return measure


def metrics_to_report(measure: Measure, dataset: Dataset, output: TensorSpec) -> list[Measure]:
    """Return all measures to report for an output: the chosen one, then the rest of its family.

    Metrics that do not fit the data or the model, or whose package is not installed, are omitted.
    Metrics with the same targets share one object, by which callers recognize them.
    """
    measures = [measure]
    targets = {_target_function(measure.metric): measure.wanted}
    for metric in _family(measure.metric.family, output):
        if metric.name == measure.metric.name:
            continue
        function = _target_function(metric)
        try:
            if function not in targets:
                targets[function] = metric.wanted(dataset, output)
        except (UsageError, MissingToolError):
            continue
        measures.append(Measure(metric=metric, wanted=targets[function]))
    return measures


def _target_function(metric: Metric) -> Callable[..., Rows]:
    """Return the function that selects a metric's targets, without its metric name argument."""
    function = metric.wanted
    if isinstance(function, partial) and function.args == (metric.name,):
        return function.func
    return function


def _family(family: Family, output: TensorSpec) -> list[Metric]:
    """List the metrics of a family in the order in which they are reported."""
    metrics = [metric for metric in METRICS.values() if metric.family is family]
    if family is Family.CLASSIFICATION:
        count = class_count(output.shape[0])
        if count >= _MIN_CLASSES:
            metrics.insert(1, top_k_accuracy(5 if count >= _MANY_CLASSES else 2))
    return metrics
