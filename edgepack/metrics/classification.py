"""Metrics of classifiers: of the class that they choose, and of the scores that they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgepack.core.errors import ConfigError
from edgepack.core.signature import TensorSpec
from edgepack.metrics.ground_truth import labels
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean
from edgepack.metrics.predicted_classes import class_count, predicted_classes
from edgepack.metrics.roc import roc_auc
from edgepack.storage.dataset import Dataset


def _metric(
    name: str,
    title: str,
    condense: Callable[[Array, Array, float], Array],
    value: Callable[[Array, Array], Array],
    wanted: Callable[[Dataset, TensorSpec], Array] | None = None,
) -> Metric:
    return Metric(
        name=name,
        title=title,
        family=Family.CLASSIFICATION,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=wanted or partial(labels, name),
        condense=condense,
        value=value,
        loss=Loss.CROSS_ENTROPY,
    )


def _is_right(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Tell which samples get the class of their label, bool (samples,)."""
    right: Array = predicted_classes(outputs, boundary) == wanted
    return right


def top(k: int) -> Metric:
    """Make the metric that counts the samples whose label is among their k highest scores.

    Of equal scores the first is the higher, as for the accuracy, which is top-1.
    """
    return _metric(
        f"top-{k}",
        f"top-{k} accuracy",
        partial(_is_in_top, k),
        weighted_mean,
        partial(_labels_of_more, k),
    )


def _is_in_top(k: int, outputs: Array, wanted: Array, boundary: float) -> Array:  # noqa: ARG001
    own = np.take_along_axis(outputs, wanted[:, np.newaxis], axis=1)
    is_before = np.arange(outputs.shape[1]) < wanted[:, np.newaxis]
    higher = (outputs > own) | ((outputs == own) & is_before)
    found: Array = higher.sum(axis=1) < k
    return found


def _labels_of_more(k: int, dataset: Dataset, output: TensorSpec) -> Array:
    """Give the labels of a model that knows more than k classes."""
    found = labels(f"top-{k}", dataset, output)
    if (count := class_count(output.shape[0])) <= k:
        raise ConfigError(
            f"{dataset.source}: metric 'top-{k}' is always 1, the model knows {count} classes;"
            " choose a smaller number, or the metric 'accuracy'"
        )
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassCounts:
    """How often classes occur, by resample: arrays (resamples, classes) in float64.

    ``right`` counts the samples of a class that get it, ``wanted`` all of the class, ``given`` all
    that get it.
    """

    right: Array
    wanted: Array
    given: Array

    @property
    def occurs(self) -> Array:
        """Which classes there are at all, among the labels or what the model says."""
        found: Array = self.wanted + self.given > 0
        return found

    @property
    def precision(self) -> Array:
        """Of the samples that get a class, the fraction that is of it; 0 where none does."""
        return _fraction(self.right, self.given)

    @property
    def recall(self) -> Array:
        """Of the samples of a class, the fraction that gets it; 0 where there are none."""
        return _fraction(self.right, self.wanted)

    @property
    def f1(self) -> Array:
        """The harmonic mean of precision and recall; 0 where both are."""
        return _fraction(2 * self.right, self.wanted + self.given)


def _fraction(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def label_and_class(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Give each sample's label and the class that it gets, int64 (samples, 2)."""
    return np.stack([wanted, predicted_classes(outputs, boundary)], axis=1)


def count_classes(rows: Array, weights: Array) -> ClassCounts:
    """Count classes among rows of :func:`label_and_class`, by line of weights."""
    wanted, given = rows.T
    count = int(rows.max()) + 1
    right = wanted == given

    def counted(of: Array, which: Array | slice) -> Array:
        return np.stack([np.bincount(of[which], line[which], count) for line in weights])

    everything = slice(None)
    return ClassCounts(
        right=counted(wanted, right),
        wanted=counted(wanted, everything),
        given=counted(given, everything),
    )


def _macro(figure: Callable[[ClassCounts], Array], rows: Array, weights: Array) -> Array:
    """Compute the mean of a figure over the classes that occur."""
    counts = count_classes(rows, weights)
    mean: Array = figure(counts).sum(axis=1, where=counts.occurs) / counts.occurs.sum(axis=1)
    return mean


def _weighted(figure: Callable[[ClassCounts], Array], rows: Array, weights: Array) -> Array:
    """Compute the mean of a figure over the samples, each counted with its label's."""
    counts = count_classes(rows, weights)
    mean: Array = (figure(counts) * counts.wanted).sum(axis=1) / counts.wanted.sum(axis=1)
    return mean


_FIGURES: dict[str, Callable[[ClassCounts], Array]] = {
    "precision": lambda counts: counts.precision,
    "recall": lambda counts: counts.recall,
    "f1": lambda counts: counts.f1,
}
_TITLES = {"precision": "precision", "recall": "recall", "f1": "F1"}
_MEANS = {"macro": _macro, "weighted": _weighted}


def _scores_and_label(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Give each class's probability or score, then the label, float64 (samples, classes + 1).

    Logits, which are compared from sample to sample here, are made probabilities; of two classes
    the second is told, as by a lone output.
    """
    scores = outputs.astype(np.float64)
    if boundary == 0 and scores.shape[1] > 1:
        from scipy.special import softmax

        scores = softmax(scores, axis=1)
    if scores.shape[1] == 2:  # noqa: PLR2004 (no and yes)
        scores = scores[:, 1:]
    return np.column_stack([scores, wanted])


def _one_against_rest(rows: Array, weights: Array) -> Array:
    """Compute the mean of the areas, one class against all others, over the classes that can.

    Those are the ones that occur, and others than which occur; NaN without any.
    """
    scores, wanted = rows[:, :-1], rows[:, -1:]
    if scores.shape[1] == 1:
        return roc_auc(scores, wanted == 1, weights)[:, 0]
    occur = np.unique(wanted).astype(np.int64)
    areas = roc_auc(scores[:, occur], wanted == occur, weights)
    can = ~np.isnan(areas)
    mean = np.full(len(weights), np.nan)
    return np.divide(areas.sum(axis=1, where=can), can.sum(axis=1), out=mean, where=can.any(axis=1))


ACCURACY = _metric("accuracy", "accuracy", _is_right, weighted_mean)

CLASSIFICATION = (
    ACCURACY,
    *(
        _metric(f"{name}-{mean}", f"{_TITLES[name]} ({mean})", label_and_class, partial(of, figure))
        for mean, of in _MEANS.items()
        for name, figure in _FIGURES.items()
    ),
    _metric("roc-auc", "ROC-AUC", _scores_and_label, _one_against_rest),
)
