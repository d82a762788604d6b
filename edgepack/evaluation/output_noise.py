"""How far outputs are from the float model's in all: sums over blocks of samples."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from edgepack.evaluation.paired_outputs import Array, ratio_in_decibels
from edgepack.metrics import predicted_classes


class OutputKind(str, Enum):
    """What an output holds: scores of classes, for a sample or each of its pixels, or values."""

    CLASSES = "classes"
    CLASS_MAP = "class map"
    VALUES = "values"


class BlockNoise(NamedTuple):
    """What a block of samples shows, all (samples, ...).

    The float model's values and the squared differences are in float64; ``differs`` tells which
    classes are other ones, and is None for values.
    """

    signal: Array
    squared: Array
    differs: Array | None


class Noise:
    """What is gathered on the way through the samples of an output of a ``kind``.

    ``boundary`` is the decision boundary of classes.
    """

    def __init__(self, kind: OutputKind, boundary: float) -> None:
        self._kind = kind
        self._boundary = boundary
        self._same = self._decisions = self._values = 0
        self._power = self._noise = 0.0
        self.max_abs_error = self.mean_abs_error = 0.0

    def add(self, ours: Array, theirs: Array) -> BlockNoise:
        """Take the float model's real values of some samples, and the others'."""
        signal = ours.astype(np.float64)
        difference = signal - theirs
        squared = np.square(difference)
        self._power += float(np.square(signal).sum())
        self._noise += float(squared.sum())
        self._add_error(_error(ours, theirs, difference))
        if self._kind is OutputKind.VALUES:
            return BlockNoise(signal, squared, None)
        differs = predicted_classes(ours, self._boundary) != predicted_classes(
            theirs, self._boundary
        )
        self._decisions += differs.size
        self._same += int(np.count_nonzero(~differs))
        return BlockNoise(signal, squared, differs)

    def _add_error(self, error: Array) -> None:
        self.max_abs_error = float(np.maximum(self.max_abs_error, error.max()))  # NaN stays
        self._values += error.size
        growth = error.size / self._values
        self.mean_abs_error += (float(error.mean()) - self.mean_abs_error) * growth

    @property
    def decisions(self) -> int:
        """How many classes were told, of samples or of pixels."""
        return self._decisions

    @property
    def agreement(self) -> float | None:
        """The fraction of them that are the same; None for values."""
        return self._same / self._decisions if self._kind is not OutputKind.VALUES else None

    @property
    def sqnr_db(self) -> float | None:
        """The power of the float outputs over that of the difference; None if either is zero."""
        return ratio_in_decibels(self._power, self._noise)


def _error(ours: Array, theirs: Array, difference: Array) -> Array:
    """Give absolute differences in the precision of floats, if that holds them, else in float64."""
    if ours.dtype.kind == theirs.dtype.kind == "f":
        with np.errstate(over="ignore"):
            error: Array = np.abs(theirs - ours)
        if np.isfinite(error).all():
            return error
    return np.abs(difference)
