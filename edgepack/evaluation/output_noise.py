"""Overall differences between outputs and the float model's, summed over blocks of samples."""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple

import numpy as np

from edgepack.evaluation.collapse import DecisionCounts, Variation
from edgepack.evaluation.paired_outputs import MIN_SQNR_DB, Array, ratio_in_decibels
from edgepack.evaluation.results import Collapse
from edgepack.metrics import predicted_classes
from edgepack.tflite.graph import Tensor
from edgepack.tflite.output_parts import step_of

_CLOSE_DB = 20.0
"""An error of a tenth of the amplitude: if classes differ at less, their scores are nearly equal,
and only labels tell whether that matters."""


_SUM_TOLERANCE = 1e-2


class OutputKind(str, Enum):
    """What an output holds: class scores per sample, class scores per pixel, or real values."""

    CLASSES = "classes"
    CLASS_MAP = "class map"
    VALUES = "values"


class BlockNoise(NamedTuple):
    """The comparison of one block of samples; all arrays are (samples, ...).

    ``signal`` holds the float model's values and ``squared`` the squared differences, both float64.
    ``differs`` is where the predicted classes differ, bool; None for real values.
    """

    signal: Array
    squared: Array
    differs: Array | None


class OutputNoise:
    """Accumulates differences over the samples of an output of a ``kind``.

    ``boundary`` is the decision boundary of a single-output binary classifier, ``tensor`` the other
    model's output, as in :func:`~edgepack.evaluation.paired_outputs.real_blocks`.
    """

    def __init__(self, kind: OutputKind, boundary: float, tensor: Tensor | None) -> None:
        self._kind = kind
        self._boundary = boundary
        self._same = self._decisions = self._values = 0
        self._power = self._noise = 0.0
        self._variation = Variation(step_of(tensor) if tensor else None)
        self._class_counts = DecisionCounts()
        self._are_distributions = True  # over the classes, as those of a softmax
        self.max_abs_error = self.mean_abs_error = 0.0

    def add(self, float_values: Array, other_values: Array) -> BlockNoise:
        """Add a block of samples: the float model's real values, and the other model's."""
        signal = float_values.astype(np.float64)
        difference = signal - other_values
        squared = np.square(difference)
        self._power += float(np.square(signal).sum())
        self._noise += float(squared.sum())
        self._add_error(_absolute_error(float_values, other_values, difference))
        self._variation.add(float_values, other_values, signal, difference)
        if signal.ndim > 1 and self._are_distributions:
            sums = signal.sum(axis=-1)
            self._are_distributions = bool((np.abs(sums - 1) <= _SUM_TOLERANCE).all())
        if self._kind is OutputKind.VALUES:
            return BlockNoise(signal, squared, None)
        float_classes, classes = (
            predicted_classes(values, self._boundary) for values in (float_values, other_values)
        )
        self._class_counts.add(float_classes, classes)
        differs = float_classes != classes
        self._decisions += differs.size
        self._same += int(np.count_nonzero(~differs))
        return BlockNoise(signal, squared, differs)

    def _add_error(self, error: Array) -> None:
        # NaN is kept, which Python's max may lose.
        self.max_abs_error = float(np.maximum(self.max_abs_error, float(error.max())))
        self._values += error.size
        growth = error.size / self._values
        mean = float(error.mean(dtype=np.float64))  # the sum may exceed float32
        self.mean_abs_error += (mean - self.mean_abs_error) * growth

    @property
    def decisions(self) -> int:
        """The number of predicted classes compared, one per sample or pixel; 0 for real values."""
        return self._decisions

    @property
    def agreement(self) -> float | None:
        """The fraction of the predicted classes that are the same; None for real values."""
        return self._same / self._decisions if self._kind is not OutputKind.VALUES else None

    @property
    def sqnr_db(self) -> float | None:
        """The SQNR in dB: the power of the float outputs over that of the differences.

        None if either is zero.
        """
        return ratio_in_decibels(self._power, self._noise)

    @property
    def collapse(self) -> Collapse | None:
        """How the outputs lost what the float model's tell; None if they did not."""
        if not math.isfinite(self.max_abs_error):
            return Collapse.NOT_FINITE
        is_silent = not self._are_distributions  # a distribution has a score that is not near 0
        if is_silent and self._variation.are_rounded_scores(self.max_abs_error):
            return None
        if self._variation.is_constant:
            return Collapse.CONSTANT
        if self._variation.is_mostly_constant:
            return Collapse.MOSTLY_CONSTANT
        if self._agrees_by_chance:
            return Collapse.CHANCE
        is_noise = self.sqnr_db is not None and self.sqnr_db < MIN_SQNR_DB
        is_drowned = self._variation.is_drowned(self._power, self._noise)
        return Collapse.NOISE if is_noise or is_drowned else None

    @property
    def _agrees_by_chance(self) -> bool:
        is_close = self.sqnr_db is not None and self.sqnr_db >= _CLOSE_DB
        return not is_close and self._class_counts.agrees_by_chance(self._same)


def _absolute_error(float_values: Array, other_values: Array, difference: Array) -> Array:
    """Return absolute differences in the outputs' float type if all are finite, else in float64."""
    if float_values.dtype.kind == other_values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            error: Array = np.abs(other_values - float_values)
        if np.isfinite(error).all():
            return error
    return np.abs(difference)
