"""Whether a model's predictions tell anything of its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgepack.evaluation.collapse import DecisionCounts
from edgepack.evaluation.paired_outputs import Array
from edgepack.metrics import decision_boundary, predicted_classes
from edgepack.storage.arrays import blocks, min_and_max

_MIN_OTHERS = 10
"""Samples of other classes than the most frequent: a model may well miss a few rare ones."""


@dataclass(frozen=True, kw_only=True)
class Guessing:
    """A model that is right no more often than by chance, on ``samples``.

    ``accuracy`` and ``chance`` are fractions; chance is that of guesses that predict each class as
    often as the model does.
    """

    samples: int
    accuracy: float
    chance: float


def find_guessing(outputs: Array, labels: Array) -> Guessing | None:
    """Find that a classifier is right no more often than by chance; None if it may well be good.

    ``outputs`` are class scores (samples, classes), ``labels`` class numbers (samples,). Samples of
    one class, or of hardly any other, show nothing: who always predicts it is as often right.
    """
    if len(labels) - np.bincount(labels).max() < _MIN_OTHERS:
        return None
    boundary = decision_boundary(min_and_max(outputs))
    decisions, right = DecisionCounts(), 0
    for _, (scores, wanted) in blocks(outputs, labels):
        predicted = predicted_classes(scores, boundary)
        decisions.add(wanted, predicted)
        right += int((predicted == wanted).sum())
    if not decisions.agrees_by_chance(right):
        return None
    return Guessing(
        samples=len(labels), accuracy=right / len(labels), chance=decisions.agreement_by_chance
    )
