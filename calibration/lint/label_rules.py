"""The rule on the order of classes: labels that are those of a model, but numbered otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.lint.lint_evidence import LintEvidence, RuleResult
from edgepack.core.wording import counted
from edgepack.metrics import class_count, decision_boundary, predicted_classes
from edgepack.storage.arrays import blocks

_MIN_SHARE = 0.8
"""The share of all samples, of those that move, and of the classes, that must agree."""

_MAX_CHANCE = log(1e-6)
"""The natural logarithm of the largest probability to find an order where there is none."""

_MIN_MOVED = 2
"""Classes with samples that have another number: a single one may just be predicted badly."""

_MAX_LISTED = 6

CURE_OF_ORDER = (
    "number the classes in the order of the model's outputs; for a folder, name the subfolders so"
    " that they sort in it, such as 0_NAME"
)

Array = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reordering:
    """An order of the classes in which labels agree with predictions.

    ``before`` and ``after`` are the fractions of samples whose prediction agrees with the label as
    it is, and in the other order; ``moved`` has the predicted class by the label of each class that
    has another number.
    """

    samples: int
    before: float
    after: float
    moved: dict[int, int]

    def sentence(self, classes: Sequence[str] = ()) -> str:
        """Return the finding; ``classes`` are the names of the labels' classes, if known."""
        pairs = [
            f"{f'{label} ({classes[label]})' if label < len(classes) else label} as {predicted}"
            for label, predicted in self.moved.items()
        ]
        more = len(pairs) - _MAX_LISTED
        listed = ", ".join(pairs[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
        return (
            "the labels seem to number the classes in another order than the model: of"
            f" {counted(self.samples, 'sample')}, {self.before:.0%} are predicted as their label,"
            f" and {self.after:.0%} in the order in which it predicts label {listed}"
        )


def label_order(evidence: LintEvidence) -> RuleResult | None:
    """No other order of the classes makes labels agree with predictions.

    An order is found if at least 80% of the samples are predicted as the class that it gives them,
    and as many of those of the classes that it moves, which are two or more; if most samples of 80%
    of these classes are; and if a model whose predictions do not depend on the labels would reach
    that with a probability below 1e-6.
    """
    for name, labels in evidence.labels.items():
        outputs = evidence.observation.outputs[name]
        if found := find_reordering(outputs, labels):
            return found.sentence(evidence.classes), CURE_OF_ORDER
    return None


def find_reordering(outputs: NDArray[np.float32], labels: Array) -> Reordering | None:
    """Find the order of classes of :func:`label_order`; None if there is none that is certain.

    ``outputs`` are class scores (samples, classes), or one score of two classes; ``labels`` are
    class numbers (samples,).
    """
    counts = _count_predictions(outputs, labels)
    classes = len(counts)
    for order, log_orders in _orders(counts):
        moved = np.flatnonzero((order != np.arange(classes)) & counts.any(axis=1))
        hits, sizes = counts[moved, order[moved]], counts[moved].sum(axis=1)
        after = counts[np.arange(classes), order].sum() / len(labels)
        if len(moved) < _MIN_MOVED:
            continue
        of_moved, mostly = hits.sum() / sizes.sum(), (2 * hits > sizes).mean()
        if min(after, of_moved, mostly) < _MIN_SHARE:
            continue
        likeliest = counts.sum(axis=0)[order[moved]].max() / len(labels)
        chance = log_chance(of_moved, likeliest, int(sizes.sum()))
        if chance + log_orders(len(moved)) < _MAX_CHANCE:
            return Reordering(
                samples=len(labels),
                before=float(np.trace(counts) / len(labels)),
                after=float(after),
                moved={int(each): int(order[each]) for each in moved},
            )
    return None


def best_order(outputs: NDArray[np.float32], labels: Array) -> Array:
    """Return the number of each class, (classes,), with which most labels agree with predictions.

    Takes what :func:`find_reordering` does. A class keeps its number where both are as good.
    """
    return _assign(_count_predictions(outputs, labels))


def _count_predictions(outputs: NDArray[np.float32], labels: Array) -> Array:
    """Count samples by label and predicted class, (classes, classes)."""
    classes = class_count(outputs.shape[-1])
    boundary = decision_boundary(outputs) if outputs.shape[-1] == 1 else 0.0
    counts = np.zeros((classes, classes), np.int64)
    for _, (scores, numbers) in blocks(outputs, labels):
        np.add.at(counts, (numbers, predicted_classes(scores, boundary)), 1)
    return counts


def _orders(counts: Array) -> Iterator[tuple[Array, Callable[[int], float]]]:
    """Yield orders of the classes, as the new number of each, that may explain the predictions.

    ``counts`` are samples by label and prediction. With each order comes the natural logarithm of
    the number of orders that were looked at, by the number of classes that move.
    """
    classes, most = len(counts), counts.max(axis=1)
    if most.sum() < _MIN_SHARE * counts.sum() or (counts.diagonal() == most).all():
        return  # too few agree with any order, or most with the given one
    for step in (1, -1):  # labels that count from 1, or leave a class for the background out
        yield np.roll(np.arange(classes), -step), lambda _: log(2)
    yield _assign(counts), lambda moved: lgamma(classes + 1) - lgamma(classes - moved + 1)


def _assign(counts: Array) -> Array:
    """Return the new number of each class with the most samples, of ``counts`` by label and that.

    Of orders as good as each other, it is the one that moves the fewest classes.
    """
    from scipy.optimize import linear_sum_assignment

    classes = len(counts)
    _, best = linear_sum_assignment(counts + np.eye(classes) / (2 * classes), maximize=True)
    return np.asarray(best)


def log_chance(share: float, probability: float, samples: int) -> float:
    """Return the natural logarithm of a bound on a binomial tail, that of Chernoff.

    The tail is the probability that a ``share`` or more of the samples are hit, each of them with
    ``probability``: at most exp(-samples KL(share || probability)).
    """
    if share <= probability:
        return 0.0
    divergence = share * log(share / probability)
    if share < 1:
        divergence += (1 - share) * log((1 - share) / (1 - probability))
    return -samples * divergence
