"""What outputs tell of the data that a model was trained on: one rule, one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.lint.trials import LintEvidence, Told, simplest
from edgepack.metrics import are_probabilities, decision_boundary, predicted_classes

_UNSURE_ACCURACY = 0.8
_POINTS = 0.1
_DEVIATIONS = 4.0

_ROWS = 1 << 14
_SUM = 1e-3
_BLIND = 0.02
_SEEING = 0.2
_SATURATED = 46.0
_SURE = 35.0
"""Information in nats; margins as natural logarithms of odds, 46 is 1e20 to 1."""


def accuracy(evidence: LintEvidence) -> Told | None:
    """No mistake undone makes clearly more samples right: 10 points, and 4 standard deviations.

    The standard deviation is that of McNemar's test, of the samples that change.
    """
    for name, labels in evidence.labels.items():
        before = _right(evidence.shown.outputs[name], labels)
        if before.mean() >= _UNSURE_ACCURACY:
            continue
        cured = []
        for trial in evidence.trials:
            after = _right(trial.shown.outputs[name], labels)
            won = int(after.sum()) - int(before.sum())
            changed = int((after != before).sum())
            if won > max(_POINTS * len(labels), _DEVIATIONS * changed**0.5):
                cured.append((float(after.mean()), trial.cure))
        if cured:
            reached, cure = simplest(cured)
            said = f"of {len(labels)} samples {before.mean():.0%} are classified right"
            return f"{said}, after the cure {reached:.0%}", cure
    return None


def _right(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = predicted_classes(outputs, decision_boundary(outputs)) == labels
    return right


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """How a classifier's probabilities depend on the sample.

    ``information`` is what a sample tells about its class, as the model sees it: the entropy of
    the mean probabilities less the mean entropy (mutual information, nats). ``margin`` is the
    median of the logarithm of the likeliest class's odds against the next.
    """

    information: float
    doubt: float  # the mean entropy
    margin: float


def certainty(outputs: NDArray[np.float32]) -> Certainty | None:
    """Measure probabilities of shape (samples, ..., classes); None if they are something else."""
    if not np.isfinite(outputs).all() or not are_probabilities(outputs):
        return None
    samples = outputs.reshape(-1, outputs.shape[-1])
    rows = samples[:: -(-len(samples) // _ROWS)].astype(np.float64)
    if rows.shape[-1] == 1:
        rows = np.concatenate([1 - rows, rows], axis=-1)
    if np.abs(rows.sum(axis=-1) - 1).max() > _SUM:
        return None
    rows = np.maximum(rows, np.finfo(np.float32).tiny)
    second, first = np.sort(rows, axis=-1)[:, -2:].T
    doubt = float(_entropy(rows).mean())
    return Certainty(
        information=float(_entropy(rows.mean(axis=0))) - doubt,
        doubt=doubt,
        margin=float(np.median(np.log(first / second))),
    )


def _entropy(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    entropy: NDArray[np.float64] = -(rows * np.log(rows)).sum(axis=-1)
    return entropy


def blind_outputs(evidence: LintEvidence) -> Told | None:
    """Probabilities depend on the sample."""
    return _without_doubt(
        evidence,
        lambda made: made.information < _BLIND and made.doubt > _SEEING,
        "the output {0!r} hardly depends on the sample: it tells {1.information:.2g} nats about its"
        " class, after the cure {2.information:.2g}",
    )


def saturated_outputs(evidence: LintEvidence) -> Told | None:
    """Probabilities are no certainties: the median of the odds is below 1e20 to 1."""
    return _without_doubt(
        evidence,
        lambda made: made.margin > _SATURATED,
        "the output {0!r} is certain of its class at odds of 1e20 to 1 or more for most samples,"
        " after the cure of e^{2.margin:.1f} to 1",
    )


def _without_doubt(
    evidence: LintEvidence, is_wrong: Callable[[Certainty], bool], sentence: str
) -> Told | None:
    """Find an output that is wrong, and the cure after which it tells most of all samples."""
    for name, outputs in evidence.shown.outputs.items():
        before = certainty(outputs)
        if before is None or not is_wrong(before):
            continue
        cured = {}
        for trial in evidence.trials:
            after = certainty(trial.shown.outputs[name])
            if after is not None and after.information > _SEEING and after.margin < _SURE:
                cured[trial.cure] = after
        if cured:
            _, cure = simplest([(after.information, cure) for cure, after in cured.items()])
            return sentence.format(name, before, cured[cure]), cure
    return None
