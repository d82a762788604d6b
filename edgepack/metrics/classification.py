"""Metrics for classifiers, based on the predicted classes or on the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgepack.core.errors import ConfigError
from edgepack.core.signature import TensorSpec
from edgepack.metrics.ground_truth import class_labels
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean
from edgepack.metrics.predicted_classes import class_count, predicted_classes
from edgepack.metrics.roc import roc_auc
from edgepack.storage.dataset import Dataset


def _metric(
    name: str,
    title: str,
    condense: Callable[[Array, Array, float], Array],
    value: Callable[[Array, Array], Array],
    targets: Callable[[Dataset, TensorSpec], Array] | None = None,
) -> Metric:
    return Metric(
        name=name,
        title=title,
        family=Family.CLASSIFICATION,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=targets or partial(class_labels, name),
        condense=condense,
        value=value,
        loss=Loss.CROSS_ENTROPY,
    )


def _is_correct(outputs: Array, labels: Array, boundary: float) -> Array:
    """Return which samples are predicted as the class of their label, bool (samples,)."""
    is_correct: Array = predicted_classes(outputs, boundary) == labels
    return is_correct


def top_k_accuracy(k: int) -> Metric:
    """Return the top-k accuracy: the fraction of samples whose label has one of the k top scores.

    Of equal scores the first ranks higher, as in the accuracy, which is top-1.
    """
    return _metric(
        f"top-{k}",
        f"top-{k} accuracy",
        partial(_is_in_top_k, k),
        weighted_mean,
        partial(_top_k_labels, k),
    )


def _is_in_top_k(k: int, outputs: Array, labels: Array, boundary: float) -> Array:  # noqa: ARG001
    label_scores = np.take_along_axis(outputs, labels[:, np.newaxis], axis=1)
    is_before = np.arange(outputs.shape[1]) < labels[:, np.newaxis]
    is_higher = (outputs > label_scores) | ((outputs == label_scores) & is_before)
    is_in_top_k: Array = is_higher.sum(axis=1) < k
    return is_in_top_k


def _top_k_labels(k: int, dataset: Dataset, output: TensorSpec) -> Array:
    """Return the labels; raises :class:`ConfigError` for a model of k classes or fewer."""
    labels = class_labels(f"top-{k}", dataset, output)
    if (count := class_count(output.shape[0])) <= k:
        smaller = "a smaller number, or " if count > 2 else ""  # noqa: PLR2004 (top-1 is accuracy)
        raise ConfigError(
            f"{dataset.source}: metric 'top-{k}' is always 1 for a model of {count} classes;"
            f" choose {smaller}the metric 'accuracy'"
        )
    return labels


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassCounts:
    """Counts per class and resample: arrays (resamples, classes) in float64.

    ``correct`` counts the samples of a class that are predicted as it, ``labelled`` all samples of
    the class, ``predicted`` all samples that are predicted as it.
    """

    correct: Array
    labelled: Array
    predicted: Array

    @property
    def occurs(self) -> Array:
        """Which classes occur among the labels or the predictions, bool (resamples, classes)."""
        occurs: Array = self.labelled + self.predicted > 0
        return occurs

    @property
    def precision(self) -> Array:
        """The fraction of the samples predicted as a class that are of it; 0 if there are none."""
        return _fraction(self.correct, self.predicted)

    @property
    def recall(self) -> Array:
        """The fraction of the samples of a class that are predicted as it; 0 if there are none."""
        return _fraction(self.correct, self.labelled)

    @property
    def f1(self) -> Array:
        """The harmonic mean of precision and recall; 0 where both are 0."""
        return _fraction(2 * self.correct, self.labelled + self.predicted)


def _fraction(numerator: Array, denominator: Array) -> Array:
    """Divide; 0 where the denominator is 0."""
    fraction = np.zeros(numerator.shape)
    np.divide(numerator, denominator, out=fraction, where=denominator > 0)
    return fraction


def labels_and_predictions(outputs: Array, labels: Array, boundary: float) -> Array:
    """Return each sample's label and predicted class, int64 (samples, 2)."""
    return np.stack([labels, predicted_classes(outputs, boundary)], axis=1)


def count_classes(rows: Array, weights: Array) -> ClassCounts:
    """Count classes in rows of :func:`labels_and_predictions`, for each line of weights."""
    labels, predicted = rows.T
    count = int(rows.max()) + 1
    is_correct = labels == predicted

    def counts(classes: Array, samples: Array | slice) -> Array:
        return np.stack([np.bincount(classes[samples], line[samples], count) for line in weights])

    everything = slice(None)
    return ClassCounts(
        correct=counts(labels, is_correct),
        labelled=counts(labels, everything),
        predicted=counts(predicted, everything),
    )


def _macro(by_class: Callable[[ClassCounts], Array], rows: Array, weights: Array) -> Array:
    """Average a per-class metric over the classes that occur."""
    counts = count_classes(rows, weights)
    mean: Array = by_class(counts).sum(axis=1, where=counts.occurs) / counts.occurs.sum(axis=1)
    return mean


def _weighted(by_class: Callable[[ClassCounts], Array], rows: Array, weights: Array) -> Array:
    """Average a per-class metric over the classes, weighted by their numbers of samples."""
    counts = count_classes(rows, weights)
    mean: Array = (by_class(counts) * counts.labelled).sum(axis=1) / counts.labelled.sum(axis=1)
    return mean


_PER_CLASS: dict[str, Callable[[ClassCounts], Array]] = {
    "precision": lambda counts: counts.precision,
    "recall": lambda counts: counts.recall,
    "f1": lambda counts: counts.f1,
}
_TITLES = {"precision": "precision", "recall": "recall", "f1": "F1"}
_AVERAGES = {"macro": _macro, "weighted": _weighted}


def _scores_and_label(outputs: Array, labels: Array, boundary: float) -> Array:
    """Return the scores of the classes, then the label, float64 (samples, classes + 1).

    Scores are compared between samples, so logits of several classes go through softmax. Of two
    classes only the second is kept, as in a single-output binary classifier.
    """
    scores = outputs.astype(np.float64)
    if boundary == 0 and scores.shape[1] > 1:
        from scipy.special import softmax

        scores = softmax(scores, axis=1)
    if scores.shape[1] == 2:  # noqa: PLR2004 (a binary classifier)
        scores = scores[:, 1:]
    return np.column_stack([scores, labels])


def _one_vs_rest_auc(rows: Array, weights: Array) -> Array:
    """Compute the macro average of the one-vs-rest ROC AUC over the classes that have one.

    A class has one if the resample contains samples of it and of others; NaN if no class has.
    """
    scores, labels = rows[:, :-1], rows[:, -1:]
    if scores.shape[1] == 1:
        return roc_auc(scores, labels == 1, weights)[:, 0]
    classes = np.unique(labels).astype(np.int64)
    areas = roc_auc(scores[:, classes], labels == classes, weights)
    is_defined = ~np.isnan(areas)
    sums, counts = areas.sum(axis=1, where=is_defined), is_defined.sum(axis=1)
    means = np.full(len(weights), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


ACCURACY = _metric("accuracy", "accuracy", _is_correct, weighted_mean)

CLASSIFICATION = (
    ACCURACY,
    *(
        _metric(
            f"{name}-{mean}",
            f"{_TITLES[name]} ({mean})",
            labels_and_predictions,
            partial(average, by_class),
        )
        for mean, average in _AVERAGES.items()
        for name, by_class in _PER_CLASS.items()
    ),
    _metric("roc-auc", "ROC-AUC", _scores_and_label, _one_vs_rest_auc),
)
