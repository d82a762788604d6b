"""Which metrics there are, and which of them fit a dataset and a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from edgepack.config.export import is_function_name
from edgepack.core.errors import ConfigError, MissingToolError, UsageError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.metrics.anomaly import ANOMALY, RECONSTRUCTION
from edgepack.metrics.classification import CLASSIFICATION, top
from edgepack.metrics.generation import GENERATION
from edgepack.metrics.metric import Array, Family, Measure, Metric, Rows
from edgepack.metrics.predicted_classes import class_count
from edgepack.metrics.regression import REGRESSION
from edgepack.metrics.segmentation import SEGMENTATION
from edgepack.metrics.user_metric import user_metric
from edgepack.storage.arrays import blocks
from edgepack.storage.dataset import Dataset

METRICS = {
    metric.name: metric
    for family in (CLASSIFICATION, REGRESSION, ANOMALY, SEGMENTATION, GENERATION)
    for metric in family
}
"""Those that have a name of their own; :func:`find_metric` knows more."""

_TOP = re.compile(r"top-([2-9]|[1-9][0-9]{1,5})")
_MANY_CLASSES = 10  # from so many on the five highest scores are told
_FEWEST_CLASSES = 3  # of two, both are the highest two


def listed_metric(name: str) -> Metric | None:
    """Find a metric by its name, without the user's own functions: a report may name anything."""
    if match := _TOP.fullmatch(name):
        return top(int(match[1]))
    return METRICS.get(name)


def find_metric(name: str) -> Metric:
    """Find a metric by its name: of :data:`METRICS`, ``top-K``, or ``module:function``.

    Raises :class:`ConfigError` for the name of no metric.
    """
    if metric := listed_metric(name):
        return metric
    if is_function_name(name):
        return user_metric(name)
    raise ConfigError(
        f"unknown metric {name!r}: known metrics: {', '.join(METRICS)}, top-K such as top-5, and"
        " MODULE:FUNCTION of your own"
    )


def require_known_metric(name: str | None) -> None:
    """Raise :class:`ConfigError` for the name of no metric."""
    if name is not None:
        find_metric(name)


def choose_measures(name: str | None, dataset: Dataset, signature: Signature) -> dict[str, Measure]:
    """Choose how each output is measured, by its name; outputs that are not are left out.

    A metric that is named must fit an output at least. Without a name the labels choose: whole
    numbers, one a sample, are class numbers if the output has several values, or if they are no
    others than 0 and 1; one for each position of an output that has more axes are classes of
    positions; 0 and 1 for an output that is like the input mark anomalies; everything else is
    values. Raises :class:`DatasetError` and :class:`ConfigError` for labels that do not fit, or a
    metric that fits nowhere.
    """
    named = None if name is None else find_metric(name)
    found: dict[str, Measure] = {}
    refusals: list[UsageError] = []
    for output in signature.outputs:
        labels = dataset.labels.get(output.name)
        if named is None and labels is None:
            continue
        metric = named or METRICS[_by_labels(labels, dataset, output)]
        try:
            found[output.name] = Measure(metric=metric, wanted=metric.wanted(dataset, output))
        except UsageError as error:
            refusals.append(error)
    if refusals and (named is None or not found):
        raise refusals[0]
    return found


def _by_labels(labels: Array | None, dataset: Dataset, output: TensorSpec) -> str:
    if labels is None:
        return "mse"
    has_one_each = labels.size == len(labels)
    is_map = not has_one_each and labels.ndim == len(output.shape) > 1
    if not (has_one_each or is_map) or not _are_whole(labels):
        return "mse"
    if is_map:
        return "miou"
    if _is_autoencoder(dataset, output) and np.isin(labels, (0, 1)).all():
        return "anomaly-auc"
    if len(output.shape) != 1:
        return "mse"
    are_classes = output.shape[0] != 1 or bool(np.isin(labels, (0, 1)).all())
    return "accuracy" if are_classes else "mse"


def _are_whole(labels: Array) -> bool:
    return labels.dtype.kind != "f" or all(
        np.array_equal(block, np.trunc(block)) for _, (block,) in blocks(labels)
    )


def _is_autoencoder(dataset: Dataset, output: TensorSpec) -> bool:
    """Whether an output is like the lone input, and larger than what tells a few classes."""
    shapes = [array.shape[1:] for array in dataset.inputs.values()]
    return shapes == [output.shape] and int(np.prod(shapes[0])) > _MANY_CLASSES


def training_measures(
    name: str | None, dataset: Dataset, signature: Signature
) -> dict[str, Measure]:
    """Choose what each output is fine-tuned on: as :func:`choose_measures`, but with a loss.

    To tell anomalies, an autoencoder learns to give back what is normal. Raises
    :class:`ConfigError`, besides, for a metric that no loss serves.
    """
    if name is not None and find_metric(name).family is Family.ANOMALY:
        name = RECONSTRUCTION.name
    found = choose_measures(name, dataset, signature)
    return {
        output.name: _with_loss(found[output.name], dataset, output)
        for output in signature.outputs
        if output.name in found
    }


def _with_loss(measure: Measure, dataset: Dataset, output: TensorSpec) -> Measure:
    if measure.metric.family is Family.ANOMALY:
        wanted = RECONSTRUCTION.wanted(dataset, output)
        return Measure(metric=RECONSTRUCTION, wanted=wanted)
    if measure.metric.loss is None:
        raise ConfigError(
            f"{dataset.source}: no fine-tuning serves the metric {measure.metric.name!r}; choose"
            " another, or the loss 'distillation'"
        )
    return measure


def metrics_to_report(measure: Measure, dataset: Dataset, output: TensorSpec) -> list[Measure]:
    """Find what an output can be measured by besides: its metric first, then others of its family.

    Those that the data or the model do not fit, or that need a package which is not installed, are
    left out. Metrics that want the same share it, which tells that they do.
    """
    found = [measure]
    picked = {_picker(measure.metric): measure.wanted}
    for metric in _family(measure.metric.family, output):
        if metric.name == measure.metric.name:
            continue
        try:
            if _picker(metric) not in picked:
                picked[_picker(metric)] = metric.wanted(dataset, output)
        except (UsageError, MissingToolError):
            continue
        found.append(Measure(metric=metric, wanted=picked[_picker(metric)]))
    return found


def _picker(metric: Metric) -> Callable[..., Rows]:
    """Tell which function picks what a metric wants, whatever name it gives in messages."""
    wanted = metric.wanted
    if isinstance(wanted, partial) and wanted.args == (metric.name,):
        return wanted.func
    return wanted


def _family(family: Family, output: TensorSpec) -> list[Metric]:
    """List the metrics of a family, in the order that they are told in."""
    metrics = [metric for metric in METRICS.values() if metric.family is family]
    if family is Family.CLASSIFICATION:
        count = class_count(output.shape[0])
        if count >= _FEWEST_CLASSES:
            metrics.insert(1, top(5 if count >= _MANY_CLASSES else 2))
    return metrics
