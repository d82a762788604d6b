"""The section of zeros among the weights."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.report.document.block_shortcuts import number_column, table_block, text_column
from edgepack.report.document.blocks import Details, Plot, Section
from edgepack.report.format.text_table import NONE
from edgepack.report.plots.bars import bar_plot
from edgepack.tflite.sparsity import Sparsity

_MOST = 40
_SPARSE = 0.05  # rounding alone makes some weights zero


def weight_sparsity_section(models: Mapping[str, Sparsity]) -> Section | None:
    """Return a plot of the zeros in each layer, in percent; ``models`` are by name."""
    layers = list(dict.fromkeys(name for each in models.values() for name in each.layers))
    if not layers:
        return None
    series = list(models)
    zeros = {name: [_percent(each.layers.get(name)) for each in models.values()] for name in layers}
    drawn = layers
    if len(layers) > _MOST:
        drawn = sorted(layers, key=lambda name: -max(each or 0.0 for each in zeros[name]))[:_MOST]
    overall = ", ".join(f"{name} {each.overall:.1%}" for name, each in models.items())
    left = f" The plot shows the {_MOST} layers with the most zeros." if len(layers) > _MOST else ""
    plot = Plot(
        title="Zeros by layer",
        description=f"Bars of {len(drawn)} layers for {', '.join(series)}.",
        svg=bar_plot(
            "sparsity-0",
            [(name, zeros[name]) for name in drawn],
            series,
            unit="%",
            most=100.0,
        ),
        table=table_block(
            "Zeros by layer, in percent",
            [text_column("layer"), *(number_column(name) for name in series)],
            [[name, *map(_figure, zeros[name])] for name in layers],
        ),
    )
    is_sparse = max(each.overall for each in models.values()) >= _SPARSE
    return Section(
        id="sparsity",
        title="Zeros among the weights",
        lead=f"Over all weights: {overall}.{left}",
        blocks=(plot if is_sparse else Details(summary="Zeros by layer", blocks=(plot,)),),
    )


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _figure(percent: float | None) -> str:
    return NONE if percent is None else f"{percent:.1f}"
