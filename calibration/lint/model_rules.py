"""What a model tells of the data that it was trained on, by all its rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.lint import LintFinding
from edgepack.calibration.lint.layer_rules import rescaling, training_statistics
from edgepack.calibration.lint.observe import observe
from edgepack.calibration.lint.output_rules import (
    accuracy,
    blind_outputs,
    certainty,
    saturated_outputs,
)
from edgepack.calibration.lint.trials import LintEvidence, MistakeTrials, Told
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays, pick
from edgepack.storage.dataset import Dataset

_SAMPLES = 128
_FEWEST = 16
_VALUES = 1 << 19
"""Samples to try: enough for means and variances, few enough to take no time."""

RULES: tuple[Callable[[LintEvidence], Told | None], ...] = (
    training_statistics,
    rescaling,
    accuracy,
    blind_outputs,
    saturated_outputs,
)
"""The most telling first: what one finds, the others find too, so it is told once."""


def choose_lint_samples(dataset: Dataset) -> tuple[Arrays, NDArray[np.intp]]:
    """Draw samples to try the model on: their inputs, and where they stand. Seeded."""
    values = sum(array[0].size for array in dataset.inputs.values())
    count = min(len(dataset), _SAMPLES, max(_FEWEST, _VALUES // values))
    chosen = np.sort(np.random.default_rng(0).choice(len(dataset), count, replace=False))
    return {name: pick(array, chosen) for name, array in dataset.inputs.items()}, chosen


def lint_training(
    model: FloatModel, role: str, inputs: Arrays, labels: Arrays
) -> tuple[list[LintFinding], list[str]]:
    """Hold samples against what the model shows of its training; and say what it shows.

    ``labels`` are class numbers of shape (samples,) by output.
    """
    shown = observe(model, inputs)
    evidence = LintEvidence(shown=shown, labels=labels, trials=MistakeTrials(model, inputs))
    for rule in RULES:
        if (told := rule(evidence)) is not None:
            sentence, cure = told
            name = rule.__name__.replace("_", "-")
            finding = LintFinding(rule=name, dataset=role, name=None, sentence=sentence, cure=cure)
            return [finding], _witnesses(evidence)
    return [], _witnesses(evidence)


def _witnesses(evidence: LintEvidence) -> list[str]:
    """Say what in a model and its labels tells of training."""
    shown = evidence.shown
    layers = len(shown.shifts)
    found = {
        f"the statistics of {layers} normalization layer{'s' * (layers > 1)}": shown.shifts,
        "a leading Rescaling": shown.rescaled,
        "probabilities": any(certainty(made) for made in shown.outputs.values()),
        "labels": evidence.labels,
    }
    return [name for name, held in found.items() if held]
