"""How well a model tells each class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgepack.evaluation.paired_outputs import Array, dequantized
from edgepack.evaluation.results import ClassResult
from edgepack.metrics import predicted_classes
from edgepack.metrics.roc import roc_auc
from edgepack.storage.arrays import blocks
from edgepack.tflite.graph import Tensor

MOST_CLASSES = 10_000
"""With more of them nothing is told by class: a report would hold little else."""

_COLUMN_BYTES = 1 << 25


def predicted_class_numbers(outputs: Array, tensor: Tensor | None, boundary: float) -> Array:
    """Find the class that each sample gets, int64 (samples,), by blocks."""
    return np.concatenate(
        [predicted_classes(dequantized(block, tensor), boundary) for _, (block,) in blocks(outputs)]
    )


def class_results(
    outputs: Array, tensor: Tensor | None, boundary: float, labels: Array, names: Sequence[str]
) -> tuple[tuple[ClassResult, ...], tuple[tuple[int, int, int], ...]]:
    """Tell precision, recall, F1 and ROC-AUC of each class, and how often which is told as which.

    ``outputs`` are scores (samples, classes), ``labels`` class numbers (samples,), ``names`` those
    of all classes. The area is that of the class against all others, by its probability.
    """
    from sklearn.metrics import precision_recall_fscore_support

    numbers = np.arange(len(names))
    said = predicted_class_numbers(outputs, tensor, boundary)
    figures = precision_recall_fscore_support(labels, said, labels=numbers, zero_division=np.nan)
    areas = _areas(outputs, tensor, boundary, labels, len(names))
    results = tuple(
        ClassResult(
            name=name,
            samples=int(samples),
            precision=_told(precision),
            recall=_told(recall),
            f1=_told(f1),
            roc_auc=_told(area),
        )
        for name, precision, recall, f1, samples, area in zip(names, *figures, areas, strict=True)
    )
    found, counts = np.unique(np.stack([labels, said]), axis=1, return_counts=True)
    label, told, many = (each.tolist() for each in (*found, counts))
    return results, tuple(zip(label, told, many, strict=True))


def _told(figure: float) -> float | None:
    return None if math.isnan(figure) else float(figure)


def _areas(
    outputs: Array, tensor: Tensor | None, boundary: float, labels: Array, count: int
) -> list[float]:
    """Compute the area of each class, for some classes at a time."""
    if outputs.shape[1] == 1:  # to say no is not to say yes
        yes = _area(_scores(outputs, tensor, boundary, slice(None)), (labels == 1)[:, np.newaxis])
        return [*yes, *yes]
    most = max(1, _COLUMN_BYTES // (8 * len(outputs)))
    areas: list[float] = []
    for start in range(0, count, most):
        some = slice(start, min(start + most, count))
        is_some = labels[:, np.newaxis] == np.arange(some.start, some.stop)
        areas += _area(_scores(outputs, tensor, boundary, some), is_some)
    return areas


def _scores(outputs: Array, tensor: Tensor | None, boundary: float, some: slice) -> Array:
    """Give the scores of some classes, float64 (samples, classes); probabilities of logits."""
    from scipy.special import softmax

    def scores(block: Array) -> Array:
        found = dequantized(block, tensor).astype(np.float64)
        are_logits = boundary == 0 and found.shape[1] > 1
        return np.asarray(softmax(found, axis=1) if are_logits else found)[:, some]

    return np.concatenate([scores(block) for _, (block,) in blocks(outputs)])


def _area(scores: Array, is_class: Array) -> list[float]:
    """Compute the area under the ROC curve of each class, every sample counted once."""
    once = np.ones((1, len(scores)), np.int64)
    areas: list[float] = roc_auc(scores, is_class, once)[0].tolist()
    return areas
