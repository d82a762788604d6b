"""Zeros among the weights."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.report.document.block_shortcuts import figures, table, words
from edgepack.report.document.blocks import Details, Plot, Section
from edgepack.report.format.text_table import NONE
from edgepack.report.plots.bars import bars
from edgepack.tflite.sparsity import Sparsity

_MOST = 40
_SPARSE = 0.05  # rounding makes some zeros of any weights


def sparsity(models: Mapping[str, Sparsity]) -> Section | None:
    """Draw the zeros of each layer, in percent, of each model by its name."""
    layers = list(dict.fromkeys(name for found in models.values() for name in found.layers))
    if not layers:
        return None
    series = list(models)
    zeros = {
        name: [_percent(found.layers.get(name)) for found in models.values()] for name in layers
    }
    drawn = layers
    if len(layers) > _MOST:
        drawn = sorted(layers, key=lambda name: -max(each or 0.0 for each in zeros[name]))[:_MOST]
    overall = ", ".join(f"{name} {found.overall:.1%}" for name, found in models.items())
    left = f" The {_MOST} layers with the most are drawn." if len(layers) > _MOST else ""
    plot = Plot(
        title="Zeros by layer",
        description=f"Bars of {len(drawn)} layers for {', '.join(series)}.",
        svg=bars(
            "sparsity-0",
            [(name, zeros[name]) for name in drawn],
            series,
            unit="%",
            most=100.0,
        ),
        table=table(
            "Zeros by layer, in percent",
            [words("layer"), *(figures(name) for name in series)],
            [[name, *map(_figure, zeros[name])] for name in layers],
        ),
    )
    is_sparse = max(found.overall for found in models.values()) >= _SPARSE
    return Section(
        id="sparsity",
        title="Zeros among the weights",
        lead=f"Over all weights: {overall}.{left}",
        blocks=(plot if is_sparse else Details(summary="Zeros by layer", blocks=(plot,)),),
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _figure(percent: float | None) -> str:
    return NONE if percent is None else f"{percent:.1f}"
