"""Metrics of models that give each position, such as each pixel, a class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from edgepack.metrics.ground_truth import IGNORED, maps
from edgepack.metrics.metric import Array, Family, Metric, Unit, weighted_sums
from edgepack.metrics.predicted_classes import class_count, predicted_classes


def _overlaps(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Count for each class the positions where label and model agree, and where either has it.

    Gives float64 (samples, 2, classes).
    """
    count = class_count(outputs.shape[-1])
    label, given, counts = _flat(outputs, wanted, boundary)
    first = count * np.arange(len(outputs))[:, np.newaxis]  # a range of numbers for each sample

    def counted(each: Array, which: Array) -> Array:
        numbers = np.bincount((first + each)[which], minlength=count * len(outputs))
        found: Array = numbers.reshape(len(outputs), count).astype(np.float64)
        return found

    both = counted(given, counts & (label == given))
    either: Array = counted(given, counts) + counted(label, counts) - both
    rows: Array = np.stack([both, either], axis=1)
    return rows


def _right_and_counted(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Count the positions that get their label, and those that count, float64 (samples, 2)."""
    label, given, counts = _flat(outputs, wanted, boundary)
    right = counts & (label == given)
    return np.stack([each.sum(axis=1, dtype=np.float64) for each in (right, counts)], axis=1)


def _flat(outputs: Array, wanted: Array, boundary: float) -> tuple[Array, Array, Array]:
    """Give labels, classes and which positions count, each (samples, positions)."""
    label = wanted.reshape(len(wanted), -1).astype(np.int64)
    given = predicted_classes(outputs, boundary).reshape(label.shape)
    are_all = class_count(outputs.shape[-1]) > IGNORED
    return label, given, np.full(label.shape, True) if are_all else label != IGNORED


def _mean_overlap(rows: Array, weights: Array) -> Array:
    """Compute the mean over the classes that occur, in labels or outputs, of both over either."""
    both, either = np.moveaxis(weighted_sums(rows, weights), 1, 0)
    occurs = either > 0
    overlap = np.divide(both, either, out=np.zeros(both.shape), where=occurs)
    return _over(overlap.sum(axis=1), occurs.sum(axis=1))


def _rate(rows: Array, weights: Array) -> Array:
    right, counted = weighted_sums(rows, weights).T
    return _over(right, counted)


def _over(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


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
        wanted=partial(maps, name),
        condense=condense,
        value=value,
    )


SEGMENTATION = (
    _metric("miou", "mean IoU", _overlaps, _mean_overlap),
    _metric("pixel-accuracy", "pixel accuracy", _right_and_counted, _rate),
)
