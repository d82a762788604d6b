"""The cures of layers after trials: what helped, in place of the advice to try."""

from __future__ import annotations

from dataclasses import replace

from edgepack.layer_errors.causes import SEE_DEBUG
from edgepack.layer_errors.remedies import SPLIT_OUTPUTS, worst_layers
from edgepack.layer_errors.result import DebugReport, LayerReport, Trials

_NOTHING_HELPS = "nothing that was tried helps"
_NOTHING_TO_TRY = "leave it as it is: there is no option to try for it"
_LATER = "leave it as it is until the worst layers are better"


def with_tried_cures(report: DebugReport, trials: Trials | None) -> DebugReport:
    """Return a report with what was tried, and with the best of it as the cures of its layers."""
    worst = worst_layers(report.layers)
    without = _NOTHING_TO_TRY if trials is None else _NOTHING_HELPS
    return replace(
        report,
        trials=trials,
        layers=tuple(
            _with_cure(layer, _best_options(layer, trials), without)
            if layer in worst
            else _with_cure(layer, None, _LATER)
            for layer in report.layers
        ),
    )


def _with_cure(layer: LayerReport, options: str | None, without: str) -> LayerReport:
    """Return a layer with the options in place of the reference to debug.

    Without options, the rest of the cure stands alone, or else it is ``without``.
    """
    cure = layer.finding.cure
    if options is None:
        cure = cure.removesuffix(f"; {SEE_DEBUG}")
    finding = replace(layer.finding, cure=cure.replace(SEE_DEBUG, options or without))
    return replace(layer, finding=finding)


def _best_options(layer: LayerReport, trials: Trials | None) -> str | None:
    """Return the best change for a layer, or else for the whole model; None if none helps."""
    helpful = trials.helpful if trials else []
    own = [each.options for each in helpful if layer.figures.name in each.layers]
    whole = [each.options for each in helpful if not each.layers]
    return next((each for each in (*own, *whole) if each != SPLIT_OUTPUTS), None)
