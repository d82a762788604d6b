"""Metrics for models that predict a class for each position, such as each pixel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from edgepack.metrics.ground_truth import IGNORED, class_maps
from edgepack.metrics.metric import Array, Family, Metric, Unit, weighted_sums
from edgepack.metrics.predicted_classes import class_count, predicted_classes


def _intersections_and_unions(outputs: Array, targets: Array, boundary: float) -> Array:
    """Count the positions of each class's intersection and union, float64 (samples, 2, classes).

    The intersection is where both label and prediction are the class, the union where either is.
    """
    count = class_count(outputs.shape[-1])
    labels, predicted, is_counted = _flattened(outputs, targets, boundary)
    offsets = count * np.arange(len(outputs))[:, np.newaxis]  # gives each sample its own numbers

    def class_counts(classes: Array, mask: Array) -> Array:
        counts = np.bincount((offsets + classes)[mask], minlength=count * len(outputs))
        by_sample: Array = counts.reshape(len(outputs), count).astype(np.float64)
        return by_sample

    intersection = class_counts(predicted, is_counted & (labels == predicted))
    union: Array = (
        class_counts(predicted, is_counted) + class_counts(labels, is_counted) - intersection
    )
    rows: Array = np.stack([intersection, union], axis=1)
    return rows


def _correct_and_counted(outputs: Array, targets: Array, boundary: float) -> Array:
    """Count the correctly classified and all labelled positions, float64 (samples, 2)."""
    labels, predicted, is_counted = _flattened(outputs, targets, boundary)
    is_correct = is_counted & (labels == predicted)
    masks = (is_correct, is_counted)
    return np.stack([mask.sum(axis=1, dtype=np.float64) for mask in masks], axis=1)


def _flattened(outputs: Array, targets: Array, boundary: float) -> tuple[Array, Array, Array]:
    """Return labels, predicted classes and a mask of what counts, each (samples, positions)."""
    labels = targets.reshape(len(targets), -1).astype(np.int64)
    predicted = predicted_classes(outputs, boundary).reshape(labels.shape)
    is_ignored_a_class = class_count(outputs.shape[-1]) > IGNORED
    is_counted = np.full(labels.shape, True) if is_ignored_a_class else labels != IGNORED
    return labels, predicted, is_counted


def _mean_iou(rows: Array, weights: Array) -> Array:
    """Compute the mean IoU over the classes that occur in labels or predictions."""
    intersection, union = np.moveaxis(weighted_sums(rows, weights), 1, 0)
    occurs = union > 0
    iou = np.divide(intersection, union, out=np.zeros(intersection.shape), where=occurs)
    return _ratio(iou.sum(axis=1), occurs.sum(axis=1))


def _pixel_accuracy(rows: Array, weights: Array) -> Array:
    correct, counted = weighted_sums(rows, weights).T
    return _ratio(correct, counted)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Divide; NaN where the denominator is 0."""
    ratio = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _metric(
    name: str,
    title: str,
    condense: Callable[[Array, Array, float], Array],
    value: Callable[[Array, Array], Array],
) -> Metric:
    return Metric(
        name=name,
        title=title,
        family=Family.SEGMENTATION,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=partial(class_maps, name),
        condense=condense,
        value=value,
    )


SEGMENTATION = (
    _metric("miou", "mean IoU", _intersections_and_unions, _mean_iou),
    _metric("pixel-accuracy", "pixel accuracy", _correct_and_counted, _pixel_accuracy),
)
