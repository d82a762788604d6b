"""Rules that compare the inputs of layers with those in training, one function per rule."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from edgepack.calibration.lint.lint_evidence import LintEvidence, RuleResult
from edgepack.calibration.lint.observe import Shift

_MIN_DIVERGENCE = 0.05
_MAX_REMAINING = 0.2  # as a fraction of the divergence before the cure
_MAX_CURED_DIVERGENCE = 1.0
_MISMATCH_DIVERGENCE = 3.0
"""Divergences in nats. Measured on trained models with data like their own: 0.004 to 0.8 at the
first layers, the most where few windows of one machine represent all; with data scaled by 255: 3.4
and more."""

_MIN_WIDTH = 0.05
_MAX_MAGNITUDE = 10.0
_CURED_WIDTHS = (0.3, 2.2)
"""Widths of the output range of a leading Rescaling layer: 1 for 0..1, 2 for -1..1."""


def training_statistics(evidence: LintEvidence) -> RuleResult | None:
    """The inputs of normalization layers have the mean and variance that they had in training.

    A cure is judged by the first layer that it changes, because later layers depend less on the
    input. So only the first layers, as many as there are inputs, decide whether to look for cures.
    """
    shifts = evidence.observation.shifts
    first = shifts[: evidence.trials.inputs]
    if all(shift.divergence < _MIN_DIVERGENCE for shift in first):
        return None
    cured = [
        (after.divergence, before, trial.cure)
        for trial in evidence.trials
        for before, after in islice(_changed(shifts, trial.observation.shifts), 1)
        if after.divergence < min(_MAX_CURED_DIVERGENCE, _MAX_REMAINING * before.divergence)
    ]
    sentence = (
        "the input of the layer {0.layer!r} has {0.ratio:.2g} times the variance that it had in"
        " training (divergence {0.divergence:.2g}{1}; 0 means equal)"
    )
    if cured:
        remaining, before, cure = min(cured, key=lambda each: each[0])
        return sentence.format(before, f", with the fix below {remaining:.2g}"), cure
    if shifts[0].divergence > _MISMATCH_DIVERGENCE:
        return sentence.format(
            shifts[0], ""
        ), "prepare the inputs as they were prepared for training"
    return None


def _changed(before: tuple[Shift, ...], after: tuple[Shift, ...]) -> Iterator[tuple[Shift, Shift]]:
    return ((one, other) for one, other in zip(before, after, strict=False) if one != other)


def rescaling(evidence: LintEvidence) -> RuleResult | None:
    """The output range of a leading Rescaling layer is about as wide as 0..1 or -1..1."""
    for index, before in enumerate(evidence.observation.rescaled):
        width, magnitude = before.high - before.low, max(abs(before.low), abs(before.high))
        if width >= _MIN_WIDTH and magnitude <= _MAX_MAGNITUDE:
            continue
        for trial in evidence.trials:
            if index >= len(trial.observation.rescaled):
                continue
            after = trial.observation.rescaled[index]
            narrowest, widest = _CURED_WIDTHS
            if narrowest <= after.high - after.low <= widest and after.low >= -widest / 2:
                sentence = (
                    f"the layer {before.layer!r} outputs {before.low:.3g} to {before.high:.3g},"
                    f" with the fix below {after.low:.3g} to {after.high:.3g}"
                )
                return sentence, trial.cure
    return None
