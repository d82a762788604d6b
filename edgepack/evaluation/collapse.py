"""Outputs without information: what fails a quantized model whatever the budgets are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgepack.evaluation.paired_outputs import MIN_SQNR_DB, Array
from edgepack.evaluation.results import SIGNIFICANCE
from edgepack.evaluation.significance import is_above_chance, mcnemar_p_value, wilson_interval
from edgepack.metrics import are_probabilities
from edgepack.storage.arrays import blocks, read_slice

_INT8_STEPS = 255

MIN_VARIATION = 2 / _INT8_STEPS
"""Two steps of an int8 output, as a fraction of its extent: less may be rounded to a constant."""

_MAJORITY = 0.9
"""The fraction of equal outputs from which outputs are mostly constant: the rest are outliers."""

_ENOUGH_TO_VARY = 64
"""Samples on which outputs that vary by less than two steps are judged, too: a few may be alike,
such as those of a quiet hour."""

_ROUNDED_TO = 1e-5
"""What a constant varies by at most, as a fraction of the extent: rounding in float32 adds up."""

_CANDIDATES = 3
"""The first outputs, one of which nearly all others equal if they are constant."""

_ENOUGH = 20
"""Samples from which on an output that is not repeated is no longer kept."""

_ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""The largest difference of equal values, as a fraction: a few units in the last place."""

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


def is_constant(outputs: Array) -> bool:
    """Whether outputs (samples, ...) are the same for several samples, up to rounding in float32.

    A batch of another size may be rounded otherwise.
    """
    first = read_slice(outputs, slice(0, 1))
    return len(outputs) > 1 and all(
        (np.abs(block - first) <= _ROUNDING * np.abs(first)).all()
        for _, (block,) in blocks(outputs)
    )


class Variation:
    """Accumulates how outputs vary over samples, for the float model and another one.

    Keeps a few arrays of the size of one sample. ``step`` is the real value of a step of the other
    model's outputs, None if they have no single scale.
    """

    def __init__(self, step: float | None) -> None:
        self._given_step = step
        self._samples = 0
        self._signal_sum: Array | float = 0.0
        self._error_sum: Array | float = 0.0
        self._extremes = _Extremes()
        self._repeated: list[_RepeatedOutput] = []

    def add(
        self, float_values: Array, other_values: Array, signal: Array, difference: Array
    ) -> None:
        """Add a block of samples (samples, ...) of both models.

        ``signal`` and ``difference`` are the float model's values and what the other's differ by,
        in float64.
        """
        self._signal_sum = self._signal_sum + signal.sum(axis=0)
        self._error_sum = self._error_sum + difference.sum(axis=0)
        self._extremes.add(float_values)
        candidates = other_values[: max(0, _CANDIDATES - self._samples)]
        self._repeated += [_RepeatedOutput(output) for output in candidates]
        for each in self._repeated:
            each.add(float_values, other_values)
        self._samples += len(float_values)
        if self._samples >= _ENOUGH:  # outputs that vary are no longer needed
            self._repeated = [each for each in self._repeated if self._is_majority(each)]

    def _is_majority(self, output: _RepeatedOutput) -> bool:
        return output.count >= _MAJORITY * self._samples

    @property
    def is_constant(self) -> bool:
        """Whether all of the other model's outputs are the same, unlike the float's."""
        return self._can_be_told_apart and any(
            each.count == self._samples > 1 for each in self._repeated
        )

    @property
    def is_mostly_constant(self) -> bool:
        """Whether nearly all outputs are the same, though the float's for these samples vary.

        These vary if their standard deviation is above that of rounding to the step. It is not if
        most outputs are the same in the float model, too, such as amounts of rain.
        """
        return self._can_be_told_apart and any(
            self._is_majority(each) and each.deviation > self._step / math.sqrt(12)
            for each in self._repeated
        )

    def are_rounded_scores(self, max_abs_error: float) -> bool:
        """Whether outputs are from 0 to 1, and as near to the float's as two steps.

        They may be probabilities that are all near 0 or 1 on these samples, as those of a detector
        that never fires: then their rounding, whatever is left of them, shows no loss.
        """
        has_step = self._given_step is not None
        return has_step and self._are_scores and max_abs_error <= 2 * self._step

    @property
    def _are_scores(self) -> bool:
        return are_probabilities(np.array(self._extremes.span))

    @property
    def _can_be_told_apart(self) -> bool:
        """Whether the float model's outputs vary so much that another's must, too."""
        if self._are_scores or self._samples < _ENOUGH_TO_VARY:
            return self._extremes.variation > 2 * self._step
        return self._extremes.variation > _ROUNDED_TO * self._extremes.extent

    @property
    def _step(self) -> float:
        """The step of the other model's outputs; without one, that of int8 for the float's."""
        return self._given_step or self._extremes.extent / _INT8_STEPS

    def is_drowned(self, power: float, noise: float) -> bool:
        """Whether the variation of the outputs is below :data:`MIN_SQNR_DB`, offsets left out.

        ``power`` and ``noise`` are the sums of the squares of the signal and of the differences. A
        constant would be nearly as good then, whatever the sample.
        """
        if not self._can_be_told_apart:
            return False
        around_mean = (
            squares - float(np.square(total).sum()) / self._samples
            for squares, total in ((noise, self._error_sum), (power, self._signal_sum))
        )
        error, signal = around_mean
        return error > signal * 10 ** (-MIN_SQNR_DB / 10)


class _Extremes:
    """Accumulates the extremes of each element over samples."""

    def __init__(self) -> None:
        self._low: Array | None = None
        self._high: Array | None = None

    def add(self, values: Array) -> None:
        if not len(values):
            return
        low, high = values.min(axis=0), values.max(axis=0)
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)

    @property
    def variation(self) -> float:
        """How much the element varies over samples that varies most."""
        if self._low is None or self._high is None:
            return 0.0
        return float((self._high - self._low).max())

    @property
    def span(self) -> tuple[float, float]:
        """The extremes of all elements, zero included, as those of a scale."""
        if self._low is None or self._high is None:
            return 0.0, 0.0
        return min(float(self._low.min()), 0.0), max(float(self._high.max()), 0.0)

    @property
    def extent(self) -> float:
        """The difference of the extremes of all elements, zero included."""
        low, high = self.span
        return high - low


class _RepeatedOutput:
    """Counts the samples with one output, and how the float model's outputs for these vary."""

    def __init__(self, output: Array) -> None:
        self._output = output.copy()
        self._sum, self._squares = np.zeros((2, *output.shape))
        self.count = 0

    def add(self, float_values: Array, other_values: Array) -> None:
        same = (other_values == self._output).reshape(len(other_values), -1).all(axis=1)
        self.count += int(np.count_nonzero(same))
        differences = float_values[same].astype(np.float64) - self._output
        self._sum += differences.sum(axis=0)
        self._squares += np.square(differences).sum(axis=0)

    @property
    def deviation(self) -> float:
        """The standard deviation of the float model's outputs, of the element that varies most."""
        mean = self._sum / self.count
        return math.sqrt(max(0.0, float((self._squares / self.count - np.square(mean)).max())))


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

    @property
    def agreement_by_chance(self) -> float:
        """The fraction of decisions in which unrelated models would agree.

        Unrelated models that predict the classes as often as these agree with the probability
        ``sum(p * q)``, as in Cohen, "A coefficient of agreement for nominal scales", Educational
        and Psychological Measurement 20 (1960), 37.
        """
        shares = self._counts / self._counts[0].sum()
        return float((shares[0] * shares[1]).sum())

    def agrees_by_chance(self, same: int) -> bool:
        """Whether agreeing in ``same`` decisions is no more than unrelated models would."""
        decisions = int(self._counts[0].sum())
        if not decisions:
            return False
        expected = self.agreement_by_chance
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
