"""Compare the float model with the int8 model, on the same samples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.metrics import Metric, are_probabilities, classes, decision_boundary

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A pruned model, or an int8 interpreter, against the float model as given.

    ``value`` is the metric's, None without one. ``agreement`` is the fraction of samples that
    both give the same class, None where outputs are no class scores. ``sqnr_db`` is the power of
    the float outputs over that of the difference, in dB; None if either is zero.
    ``max_abs_error`` is in the unit of the outputs.
    """

    value: float | None
    agreement: float | None
    sqnr_db: float | None
    max_abs_error: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The float model as given, the pruned one if there is one, and int8 by interpreter.

    ``data`` says which samples: ``test`` or ``representative``.
    """

    metric: str | None
    data: str
    samples: int
    float_value: float | None
    pruned: Score | None
    int8: dict[str, Score]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as report.json names them."""
        return {
            "metric": self.metric,
            "data": self.data,
            "samples": self.samples,
            "float": self.float_value,
            "pruned": asdict(self.pruned) if self.pruned else None,
            "int8": {name: asdict(score) for name, score in self.int8.items()},
        }


def score(
    outputs: Array, float_outputs: Array, metric: Metric | None, wanted: Array | None
) -> Score:
    """Score real-valued outputs; all arrays have shape (samples, ...)."""
    boundary = decision_boundary(float_outputs)
    agreement = None
    if _are_classes(float_outputs, metric):
        same = classes(outputs, boundary) == classes(float_outputs, boundary)
        agreement = float(same.mean())
    return Score(
        value=None if metric is None or wanted is None else metric.score(outputs, wanted, boundary),
        agreement=agreement,
        sqnr_db=sqnr_db(float_outputs, outputs),
        max_abs_error=float(np.abs(outputs - float_outputs).max()),
    )


def _are_classes(outputs: Array, metric: Metric | None) -> bool:
    """Whether outputs tell classes; without a metric to say so, a lone logit might be a value."""
    if outputs.ndim != 2:  # noqa: PLR2004 (samples, classes)
        return False
    if metric is not None:
        return metric.is_fraction
    return outputs.shape[1] > 1 or are_probabilities(outputs)


def sqnr_db(signal: Array, noisy: Array) -> float | None:
    """Compute the signal-to-quantization-noise ratio, ``10 log10(sum s^2 / sum (s - n)^2)``, in dB.

    None if there is no noise, or no signal to compare it with.

    >>> round(sqnr_db(np.array([10.0, 0.0]), np.array([9.0, 0.0])), 1)
    20.0
    """
    signal, noisy = signal.astype(np.float64), noisy.astype(np.float64)
    noise = float(np.square(signal - noisy).sum())
    power = float(np.square(signal).sum())
    return 10 * math.log10(power / noise) if noise and power else None
