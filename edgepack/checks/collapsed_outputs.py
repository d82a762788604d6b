"""Check that outputs still tell what the float model's do."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.evaluation.closeness import Closeness
from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.paired_outputs import MIN_SQNR_DB
from edgepack.evaluation.results import Collapse

_OF_ANY_INPUTS = {Collapse.NOT_FINITE, Collapse.CONSTANT, Collapse.MOSTLY_CONSTANT}
"""What random inputs show as well as real ones; other outputs may suffer from the inputs alone."""

_PREDICATES = {
    Collapse.NOT_FINITE: "outputs NaN or infinity",
    Collapse.CONSTANT: "outputs the same for every sample, unlike the float model",
    Collapse.MOSTLY_CONSTANT: (
        "outputs the same for 9 of 10 samples or more, unlike the float model"
    ),
}


def outputs_are_not_lost(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The outputs vary with the sample, are finite, and are closer to float's than noise.

    Their SQNR is 5 dB or more; predicted classes agree with the float model's, and with the
    labels if its own do, more often than by chance. On random inputs only outputs that are
    constant or not finite fail.
    """
    for name, each in evidence.outputs(target.interpreters).items():
        if each.collapse is None:
            continue
        finding = describe_collapse(name, each, evidence.origin)
        if evidence.is_real_data or each.collapse in _OF_ANY_INPUTS:
            yield finding
        else:
            yield Finding(
                message=f"on random inputs, {finding.message}",
                cure="give --test to see how it does on real ones",
                is_note=True,
            )


def describe_collapse(name: str, closeness: Closeness, origin: CollapseOrigin | None) -> Finding:
    """Return the finding for collapsed outputs of a model that is called ``name``."""
    if origin is not None and origin.stage is not None:
        return Finding(
            message=f"{name} {_how(closeness)}; the {origin.stage} float model is no better: it was"
            " lost before it was quantized",
            cure="compress less, or fine-tune the Keras model with --train",
        )
    where = ""
    if origin is not None and origin.sqnr_db is not None:
        where = f": the SQNR falls to {origin.sqnr_db:.1f} dB in {origin.operator}"
    return Finding(
        message=f"{name} {_how(closeness)}{where}",
        cure="find the cause with edgepack debug",
        layer=origin.layer if origin else None,
        operator=origin.operator if origin else None,
    )


def _how(closeness: Closeness) -> str:
    """Describe a collapse as a predicate."""
    if closeness.collapse in _PREDICATES:
        return _PREDICATES[closeness.collapse]
    if closeness.collapse is Collapse.NOISE:
        if closeness.sqnr_db is None or closeness.sqnr_db >= MIN_SQNR_DB:
            return f"is hardly better than noise around its mean: SQNR below {MIN_SQNR_DB:g} dB"
        return (
            f"is hardly better than noise: SQNR {closeness.sqnr_db:.1f} dB, below {MIN_SQNR_DB:g}"
        )
    value = closeness.metric.value if closeness.metric else None
    if closeness.metric is None or value is None:
        return f"agrees with the float model on {closeness.agreement:.1%}, as often as by chance"
    return f"predicts no better than by chance ({closeness.metric.title} {value:.4f})"
