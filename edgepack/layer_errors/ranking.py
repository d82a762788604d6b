"""Ranking of layers by the noise that each of them alone causes at the model's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgepack.layer_errors.causes import LayerCase, diagnose
from edgepack.layer_errors.range_origins import RangeOrigin
from edgepack.layer_errors.result import LayerFigures, LayerReport, WorstScore


def rank_layers(
    figures: Sequence[LayerFigures],
    alone: Sequence[WorstScore],
    whole_db: float | None,
    origins: Mapping[str, RangeOrigin],
) -> tuple[LayerReport, ...]:
    """Diagnose the layers and rank them, the worst first; ties keep the order of execution.

    ``figures`` and ``alone`` list the same layers. ``whole_db`` is the SQNR of the whole quantized
    model at its worst output, in dB; ``origins`` are those of ranges, by layer, where known.
    """
    layers = {each.name: each for each in figures}
    reports = []
    for each, effect in zip(figures, alone, strict=True):
        share = _share(effect.sqnr_db, whole_db)
        origin = origins.get(each.name)
        finding = diagnose(LayerCase(figures=each, share=share, layers=layers, origin=origin))
        reports.append(LayerReport(figures=each, alone=effect, share=share, finding=finding))
    return tuple(sorted(reports, key=lambda report: -report.share))


def _share(alone_db: float | None, whole_db: float | None) -> float:
    """Compute the noise power of one layer over that of the whole model, from SQNRs in dB.

    >>> round(_share(30.0, 20.0), 3)
    0.1
    """
    if alone_db is None or whole_db is None:
        return 0.0
    return float(10 ** ((whole_db - alone_db) / 10))
