"""Comparing data with what a model reveals of its training data, by all rules on models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.content_order import content_order
from edgepack.calibration.lint import LintFinding
from edgepack.calibration.lint.label_rules import label_order
from edgepack.calibration.lint.layer_rules import rescaling, training_statistics
from edgepack.calibration.lint.lint_evidence import LintEvidence, MistakeTrials, RuleResult
from edgepack.calibration.lint.observe import observe
from edgepack.calibration.lint.output_rules import (
    accuracy,
    blind_outputs,
    certainty,
    saturated_outputs,
)
from edgepack.config.shared_settings import DEFAULT_SEED
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays, read_rows_by_index
from edgepack.storage.dataset import Dataset

_MAX_SAMPLES = 128
_MIN_SAMPLES = 16
_MAX_VALUES = 1 << 19
"""Limits of the samples to run: enough for means and variances, few enough to be fast."""

RULES: tuple[Callable[[LintEvidence], RuleResult | None], ...] = (
    training_statistics,
    rescaling,
    label_order,
    accuracy,
    blind_outputs,
    saturated_outputs,
)
"""The most specific first: several rules find the same mistake, so only the first one counts.

Labels in another order come before cures that labels judge, which they would mislead."""


def choose_lint_samples(dataset: Dataset) -> tuple[Arrays, NDArray[np.int64]]:
    """Draw random samples to run the model on, by their content; returns inputs and rows."""
    values = sum(array[0].size for array in dataset.inputs.values())
    count = min(len(dataset), _MAX_SAMPLES, max(_MIN_SAMPLES, _MAX_VALUES // values))
    chosen = content_order(dataset.inputs, DEFAULT_SEED)[:count]
    return {
        name: read_rows_by_index(array, chosen) for name, array in dataset.inputs.items()
    }, chosen


def lint_training(
    model: FloatModel, role: str, inputs: Arrays, labels: Arrays, classes: tuple[str, ...] = ()
) -> tuple[list[LintFinding], list[str]]:
    """Compare samples with what a model reveals of its training; returns findings and witnesses.

    There is one finding at most. ``inputs`` are arrays of shape (samples, ...) by input,
    ``labels`` class numbers of shape (samples,) by output, ``classes`` their names. Raises
    :class:`~edgepack.core.errors.ModelError` if the model cannot be run.
    """
    observation = observe(model, inputs)
    trials = MistakeTrials(model, inputs)
    evidence = LintEvidence(observation=observation, labels=labels, trials=trials, classes=classes)
    for rule in RULES:
        if (result := rule(evidence)) is not None:
            sentence, cure = result
            name = rule.__name__.replace("_", "-")
            finding = LintFinding(rule=name, dataset=role, name=None, sentence=sentence, cure=cure)
            return [finding], _witnesses(evidence)
    return [], _witnesses(evidence)


def _witnesses(evidence: LintEvidence) -> list[str]:
    """Return the parts of a model and its labels that reveal how it was trained."""
    observation = evidence.observation
    layers = len(observation.shifts)
    witnesses = {
        f"the statistics of {layers} normalization layer{'s' * (layers > 1)}": observation.shifts,
        "a leading Rescaling": observation.rescaled,
        "probabilities": any(certainty(output) for output in observation.outputs.values()),
        "labels": evidence.labels,
    }
    return [name for name, is_present in witnesses.items() if is_present]
