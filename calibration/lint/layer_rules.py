"""What layers tell of the data that they were trained on: one rule, one function."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from edgepack.calibration.lint.observe import Shift
from edgepack.calibration.lint.trials import LintEvidence, Told

_NOTICED = 0.05
_CURED = 0.2
_EQUAL = 1.0
_FOREIGN = 3.0
"""Divergences in nats. Measured on trained models and data like their own: 0.004 to 0.8 where data
enter, the most where few windows of one machine stand for all; data scaled by 255: 3.4 and more."""

_BLACK = 0.05
_GLARING = 10.0
_FILLED = (0.3, 2.2)
"""Widths of what a leading Rescaling gives: 1 for 0..1, 2 for -1..1."""


def training_statistics(evidence: LintEvidence) -> Told | None:
    """What enters a normalization layer has the mean and variance that it had in training.

    A cure is judged by the first layer that it changes: those after it see less of the input. So
    the first layers alone, as many as there are inputs, decide whether cures are looked for.
    """
    shifts = evidence.shown.shifts
    first = shifts[: evidence.trials.inputs]
    if all(shift.divergence < _NOTICED for shift in first):
        return None
    found = [
        (after.divergence, before, trial.cure)
        for trial in evidence.trials
        for before, after in islice(_changed(shifts, trial.shown.shifts), 1)
        if after.divergence < min(_EQUAL, _CURED * before.divergence)
    ]
    said = (
        "what enters the layer {0.layer!r} has {0.ratio:.2g} times the variance that it had in"
        " training (divergence {0.divergence:.2g}; 0 if equal)"
    )
    if found:
        left, worst, cure = min(found, key=lambda each: each[0])
        return f"{said.format(worst)}, after the cure {left:.2g}", cure
    if shifts[0].divergence > _FOREIGN:
        return said.format(shifts[0]), "prepare the inputs as they were prepared for training"
    return None


def _changed(before: tuple[Shift, ...], after: tuple[Shift, ...]) -> Iterator[tuple[Shift, Shift]]:
    return ((one, other) for one, other in zip(before, after, strict=False) if one != other)


def rescaling(evidence: LintEvidence) -> Told | None:
    """What a leading Rescaling layer gives has about the width of 0..1 or -1..1."""
    for index, found in enumerate(evidence.shown.rescaled):
        width, reach = found.high - found.low, max(abs(found.low), abs(found.high))
        if width >= _BLACK and reach <= _GLARING:
            continue
        for trial in evidence.trials:
            if index >= len(trial.shown.rescaled):
                continue
            after = trial.shown.rescaled[index]
            if _FILLED[0] <= after.high - after.low <= _FILLED[1] and after.low >= -_FILLED[1] / 2:
                said = f"the layer {found.layer!r} gives {found.low:.3g} to {found.high:.3g}"
                return f"{said}, after the cure {after.low:.3g} to {after.high:.3g}", trial.cure
    return None
