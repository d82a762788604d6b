"""Rules that judge data by a model's outputs, one function per rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.lint.label_rules import best_order, log_chance
from edgepack.calibration.lint.lint_evidence import LintEvidence, RuleResult, simplest
from edgepack.metrics import are_probabilities, decision_boundary, predicted_classes

_GOOD_ACCURACY = 0.8
_MIN_GAIN = 0.1
_MIN_DEVIATIONS = 4.0
_MIN_CURED_SKILL = 0.5
"""The part of the way from guessing to no error that a cure must lead: less is hardly a cure."""

_MAX_LOG_CHANCE = math.log(1e-4)
"""The natural logarithm of the largest probability that guessing is as good: of ten cures, one is
found by chance in a thousand datasets."""

_MAX_ROWS = 1 << 14
_SUM_TOLERANCE = 1e-3
_BLIND_INFORMATION = 0.02
_CLEAR_INFORMATION = 0.2
_SATURATED_MARGIN = 46.0
_LONGEST_ODDS = 1e6
_MAX_CURED_MARGIN = 35.0
"""Information and entropy in nats; margins as natural logarithms of odds: 46 is 1e20 to 1.

Longer odds than a million to 1 are shown as a power of 10."""


def accuracy(evidence: LintEvidence) -> RuleResult | None:
    """Undoing a mistake does not raise the accuracy by over 10 points and 4 standard deviations.

    The standard deviation is that of McNemar's test, over the samples whose result changes. The
    gain is that over the best order of the classes, as labels in another order than the model's
    are right less often than by guessing, and any cure would help. With the cure, the model must be
    good, and clearly better than guessing the most frequent label.
    """
    for name, labels in evidence.labels.items():
        outputs = evidence.observation.outputs[name]
        before = _is_correct(outputs, labels)
        if before.mean() >= _GOOD_ACCURACY:
            continue
        in_best_order = _is_correct(outputs, best_order(outputs, labels)[labels])
        cured = []
        for trial in evidence.trials:
            after = _is_correct(trial.observation.outputs[name], labels)
            gain = int(after.sum()) - int(in_best_order.sum())
            changed = int((after != in_best_order).sum())
            if gain > max(_MIN_GAIN * len(labels), _MIN_DEVIATIONS * changed**0.5) and _is_good(
                float(after.mean()), labels
            ):
                cured.append((float(after.mean()), trial.cure))
        if cured:
            cured_accuracy, cure = simplest(cured)
            sentence = (
                f"of {len(labels)} samples, {before.mean():.0%} are classified correctly,"
                f" with the fix below {cured_accuracy:.0%}"
            )
            return sentence, cure
    return None


def _is_correct(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    correct: NDArray[np.bool_] = predicted_classes(outputs, decision_boundary(outputs)) == labels
    return correct


def _is_good(accuracy: float, labels: NDArray[np.int64]) -> bool:
    """Whether an accuracy on these labels is good, and clearly above that of guessing."""
    guess = float(np.bincount(labels).max() / len(labels))
    is_skilled = accuracy - guess >= _MIN_CURED_SKILL * (1 - guess)
    return is_skilled and log_chance(accuracy, guess, len(labels)) < _MAX_LOG_CHANCE


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """How a classifier's probabilities depend on the sample.

    ``information`` is the mutual information of the sample and the predicted class, in nats: the
    entropy of the mean probabilities less the mean entropy. ``entropy`` is the mean entropy, in
    nats. ``margin`` is the median of the natural logarithm of the odds of the most likely class
    against the second.
    """

    information: float
    entropy: float
    margin: float

    @property
    def odds(self) -> str:
        """The odds of the margin, against 1."""
        odds = math.exp(self.margin)
        return f"{odds:,.0f}" if odds < _LONGEST_ODDS else f"1e{math.log10(odds):.0f}"


def certainty(outputs: NDArray[np.float32]) -> Certainty | None:
    """Measure probabilities of shape (samples, ..., classes); None if the outputs are others.

    A last axis of 1 has the probability of the second of two classes.
    """
    if not np.isfinite(outputs).all() or not are_probabilities(outputs):
        return None
    samples = outputs.reshape(-1, outputs.shape[-1])
    rows = samples[:: -(-len(samples) // _MAX_ROWS)].astype(np.float64)
    if rows.shape[-1] == 1:
        rows = np.concatenate([1 - rows, rows], axis=-1)
    if np.abs(rows.sum(axis=-1) - 1).max() > _SUM_TOLERANCE:
        return None
    rows = np.maximum(rows, np.finfo(np.float32).tiny)
    second, first = np.sort(rows, axis=-1)[:, -2:].T
    entropy = float(_entropy(rows).mean())
    return Certainty(
        information=float(_entropy(rows.mean(axis=0))) - entropy,
        entropy=entropy,
        margin=float(np.median(np.log(first / second))),
    )


def _entropy(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    entropy: NDArray[np.float64] = -(rows * np.log(rows)).sum(axis=-1)
    return entropy


def blind_outputs(evidence: LintEvidence) -> RuleResult | None:
    """The probabilities depend on the sample."""
    return _find_cure(
        evidence,
        lambda before: (
            before.information < _BLIND_INFORMATION and before.entropy > _CLEAR_INFORMATION
        ),
        "the output {0!r} hardly depends on the sample: their mutual information is"
        " {1.information:.2g} nats, with the fix below {2.information:.2g}",
    )


def saturated_outputs(evidence: LintEvidence) -> RuleResult | None:
    """The probabilities are not saturated: the median of the odds is below 1e20 to 1."""
    return _find_cure(
        evidence,
        lambda before: before.margin > _SATURATED_MARGIN,
        "the output {0!r} is certain of its class at odds of 1e20 to 1 or more for most samples,"
        " with the fix below {2.odds} to 1",
    )


def _find_cure(
    evidence: LintEvidence, is_wrong: Callable[[Certainty], bool], sentence: str
) -> RuleResult | None:
    """Find an output that is wrong, and the simplest cure with about the highest information.

    ``sentence`` is formatted with the output's name and its certainty before and after the cure.
    """
    for name, outputs in evidence.observation.outputs.items():
        before = certainty(outputs)
        if before is None or not is_wrong(before):
            continue
        cured = {}
        for trial in evidence.trials:
            after = certainty(trial.observation.outputs[name])
            if (
                after is not None
                and after.information > _CLEAR_INFORMATION
                and after.margin < _MAX_CURED_MARGIN
            ):
                cured[trial.cure] = after
        if cured:
            _, cure = simplest([(after.information, cure) for cure, after in cured.items()])
            return sentence.format(name, before, cured[cure]), cure
    return None
