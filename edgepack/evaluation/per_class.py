"""Per-class precision, recall, F1 and ROC AUC, and the confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgepack.evaluation.bootstrap import percentile_interval, sample_accuracy_losses
from edgepack.evaluation.paired_outputs import Array, dequantized
from edgepack.evaluation.results import ClassLoss, ClassResult
from edgepack.metrics import predicted_classes
from edgepack.metrics.roc import roc_auc
from edgepack.storage.arrays import blocks
from edgepack.tflite.graph import Tensor

MAX_CLASSES = 10_000
"""With more classes, no per-class results are reported: they would dominate the report."""

_SCORE_BYTES = 1 << 25  # of the class scores that are held at a time


def predicted_class_numbers(outputs: Array, tensor: Tensor | None, boundary: float) -> Array:
    """Return the predicted class of each sample, int64 (samples,), computed by blocks."""
    return np.concatenate(
        [predicted_classes(dequantized(block, tensor), boundary) for _, (block,) in blocks(outputs)]
    )


def class_results(
    outputs: Array, tensor: Tensor | None, boundary: float, labels: Array, names: Sequence[str]
) -> tuple[tuple[ClassResult, ...], tuple[tuple[int, int, int], ...]]:
    """Compute the metrics of each class, and the nonzero entries of the confusion matrix.

    ``outputs`` are scores (samples, classes), ``labels`` class numbers (samples,), ``names`` the
    names of all classes. The ROC AUC is one-vs-rest, by the probability of the class. Entries of
    the confusion matrix are (label, predicted class, count), in order.
    """
    predicted = predicted_class_numbers(outputs, tensor, boundary)
    of_classes = [
        np.bincount(numbers, minlength=len(names)).tolist()
        for numbers in (labels[labels == predicted], labels, predicted)
    ]
    areas = _areas(outputs, tensor, boundary, labels, len(names))
    results = tuple(
        ClassResult(
            name=name,
            samples=labelled,
            precision=_fraction(correct, found),
            recall=_fraction(correct, labelled),
            f1=_fraction(2 * correct, labelled + found),
            roc_auc=None if math.isnan(area) else area,
        )
        for name, correct, labelled, found, area in zip(names, *of_classes, areas, strict=True)
    )
    pairs, counts = np.unique(np.stack([labels, predicted]), axis=1, return_counts=True)
    return results, tuple(zip(*pairs.tolist(), counts.tolist(), strict=True))


def class_losses(
    labels: Array, is_float_correct: Array, is_correct: Array, names: Sequence[str]
) -> tuple[ClassLoss, ...]:
    """Compute the recall that each class with samples loses, in the order of the classes.

    ``labels`` are class numbers, the others bool, all (samples,). The interval is that of a loss of
    accuracy on the samples of the class.
    """
    losses = []
    for number in np.unique(labels):
        of_float, of_other = is_float_correct[labels == number], is_correct[labels == number]
        only_float = int(np.count_nonzero(of_float & ~of_other))
        only_other = int(np.count_nonzero(of_other & ~of_float))
        samples = len(of_float)
        interval = percentile_interval(
            100 * sample_accuracy_losses(only_float, only_other, samples)
        )
        assert interval is not None  # noqa: S101 (these losses are never all equal)
        losses.append(
            ClassLoss(
                name=names[number],
                samples=samples,
                loss=100 * (only_float - only_other) / samples,
                interval=interval,
            )
        )
    return tuple(losses)


def _fraction(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _areas(
    outputs: Array, tensor: Tensor | None, boundary: float, labels: Array, count: int
) -> list[float]:
    """Compute the ROC AUC of each class, for some classes at a time."""
    if outputs.shape[1] == 1:  # both classes of a binary classifier have the same area
        scores = _scores(outputs, tensor, boundary, slice(None))
        area = _area(scores, (labels == 1)[:, np.newaxis])
        return [*area, *area]
    max_classes = max(1, _SCORE_BYTES // (8 * len(outputs)))
    areas: list[float] = []
    for start in range(0, count, max_classes):
        classes = slice(start, min(start + max_classes, count))
        is_class = labels[:, np.newaxis] == np.arange(classes.start, classes.stop)
        areas += _area(_scores(outputs, tensor, boundary, classes), is_class)
    return areas


def _scores(outputs: Array, tensor: Tensor | None, boundary: float, classes: slice) -> Array:
    """Return the scores of some classes, float64 (samples, classes); logits as probabilities."""
    from scipy.special import softmax

    def scores(block: Array) -> Array:
        real = dequantized(block, tensor).astype(np.float64)
        are_logits = boundary == 0 and real.shape[1] > 1
        return np.asarray(softmax(real, axis=1) if are_logits else real)[:, classes]

    return np.concatenate([scores(block) for _, (block,) in blocks(outputs)])


def _area(scores: Array, is_class: Array) -> list[float]:
    """Compute the ROC AUC of each column of (samples, classes), every sample counted once."""
    once = np.ones((1, len(scores)), np.int64)
    areas: list[float] = roc_auc(scores, is_class, once)[0].tolist()
    return areas
