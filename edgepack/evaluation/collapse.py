"""Outputs without information: what fails a quantized model whatever the budgets are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.results import SIGNIFICANCE
from edgepack.evaluation.significance import is_above_chance, mcnemar_p_value, wilson_interval

MIN_VARIATION = 2 / 255
"""Two steps of an int8 output, as a fraction of its extent: less may be rounded to a constant."""

_MAX_KAPPA = 0.5
"""Half-way between the agreement of unrelated models and full agreement (Cohen's kappa of 0.5):
few samples may hide that models agree, so an agreement by chance must be shown to stay below."""


@dataclass(frozen=True, kw_only=True)
class CollapseOrigin:
    """Where the outputs of a model collapse: in a layer, or in a compression step before it.

    ``layer`` computes with ``operator``, and is the first whose output is lost, with the SQNR
    ``sqnr_db``. ``stage`` is the name of the model after the step that is to blame; None if
    quantization is.
    """

    layer: str | None = None
    operator: str | None = None
    sqnr_db: float | None = None
    stage: str | None = None


class Variation:
    """Accumulates how outputs vary over samples, for the float model and another one."""

    def __init__(self) -> None:
        self._first: Array | None = None
        self._low: Array | None = None
        self._high: Array | None = None
        self._is_constant = True

    def add(self, float_values: Array, other_values: Array) -> None:
        """Add a block of samples (samples, ...) of both models."""
        low, high = float_values.min(axis=0), float_values.max(axis=0)
        if self._first is None or self._low is None or self._high is None:
            self._first, self._low, self._high = other_values[0], low, high
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self._is_constant = self._is_constant and bool((other_values == self._first).all())

    @property
    def is_lost(self) -> bool:
        """Whether the other model's outputs are the same for all samples, unlike the float's."""
        if self._low is None or self._high is None or not self._is_constant:
            return False
        extent = max(self._high.max(), 0.0) - min(self._low.min(), 0.0)
        return bool((self._high - self._low).max() > MIN_VARIATION * extent)


class DecisionCounts:
    """Counts how often two models predict each class, to tell agreement from coincidence."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, 0), np.int64)

    def add(self, float_classes: Array, other_classes: Array) -> None:
        """Add the predicted classes of the float model and of the other one, any shape."""
        both = [np.bincount(classes.ravel()) for classes in (float_classes, other_classes)]
        size = max(self._counts.shape[1], *map(len, both))
        counts = np.zeros((2, size), np.int64)
        counts[:, : self._counts.shape[1]] = self._counts
        for row, each in zip(counts, both, strict=True):
            row[: len(each)] += each
        self._counts = counts

    def agrees_by_chance(self, same: int) -> bool:
        """Whether agreeing in ``same`` decisions is no more than unrelated models would.

        Unrelated models that predict the classes as often as these agree with the probability
        ``sum(p * q)``, as in Cohen, "A coefficient of agreement for nominal scales", Educational
        and Psychological Measurement 20 (1960), 37.
        """
        decisions = int(self._counts[0].sum())
        if not decisions:
            return False
        shares = self._counts / decisions
        expected = float((shares[0] * shares[1]).sum())
        if expected >= 1:  # both predict the same class everywhere
            return False
        highest = wilson_interval(same, decisions).high
        return (highest - expected) / (1 - expected) < _MAX_KAPPA and not is_above_chance(
            same, decisions, expected
        )


def is_at_chance(labels: Array, is_float_right: Array, is_right: Array) -> bool:
    """Whether a model is right no more often than by always guessing the most frequent label.

    The float model must be right significantly more often than that, and than the other model.
    ``labels`` are class numbers, the others bool, all (samples,).
    """
    samples = len(labels)
    guess = float(np.bincount(labels).max() / samples)
    right, float_right = int(is_right.sum()), int(is_float_right.sum())
    if right >= float_right or is_above_chance(right, samples, guess):
        return False
    only_float = int(np.count_nonzero(is_float_right & ~is_right))
    only_other = int(np.count_nonzero(is_right & ~is_float_right))
    return (
        is_above_chance(float_right, samples, guess)
        and mcnemar_p_value(only_float, only_other) < SIGNIFICANCE
    )
