"""The report of ``edgepack debug`` as a figure: SQNR by layer, values of the worst layers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgepack.layer_errors.causes import SMALL_SHARE
from edgepack.layer_errors.result import DebugReport, LayerReport

_WORST = 6
_COLUMNS = 3
_NAMED = 60  # with more layers their names would overlap

# Inches. matplotlib's own layout engines are not bit-reproducible.
_WIDTH = 11.0
_LEFT = 0.6
_RIGHT = 0.15
_TITLE = 0.35
_CHART = 3.0
_ROW = 2.2
_LETTER = 0.055  # height of a slanted name, per letter

_SETTINGS: Any = {"svg.hashsalt": "edgepack", "font.size": 8, "axes.titlesize": 9}


def draw_layer_errors(report: DebugReport) -> bytes:
    """Return a report as SVG drawn by matplotlib, the same bytes for the same report."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    worst = [layer for layer in report.layers if layer.share >= SMALL_SHARE][:_WORST]
    longest = max(len(layer.figures.name) for layer in report.layers)
    names = 0.3 + _LETTER * longest if len(report.layers) <= _NAMED else 0.6
    below = _ROW * -(-len(worst) // _COLUMNS)
    height = _TITLE + _CHART + names + below
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, height))

        def axes(left: float, top: float, width: float, tall: float) -> Any:
            """Add axes; lengths are in inches from the upper left."""
            bottom = height - top - tall
            return figure.add_axes((left / _WIDTH, bottom / height, width / _WIDTH, tall / height))

        _along(axes(_LEFT, _TITLE, _WIDTH - _LEFT - _RIGHT, _CHART), report, worst)
        column = _WIDTH / _COLUMNS
        for index, layer in enumerate(worst):
            left = _LEFT + index % _COLUMNS * column
            top = height - below + index // _COLUMNS * _ROW + _TITLE
            _values(axes(left, top, column - _LEFT - _RIGHT, _ROW - 2 * _TITLE), layer)
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _along(axes: Any, report: DebugReport, worst: Sequence[LayerReport]) -> None:
    """Draw the SQNR of each layer in the order of execution, and mark the worst layers."""
    layers = sorted(report.layers, key=lambda layer: layer.figures.place)
    lines = {
        "at the layer": [layer.figures.sqnr_db["total"] for layer in layers],
        "at the layer, own error only": [layer.figures.sqnr_db["own"] for layer in layers],
        "at the output, this layer alone quantized": [layer.alone.sqnr_db for layer in layers],
    }
    for (label, values), style in zip(lines.items(), ("o-", "o:", "s-"), strict=True):
        axes.plot([np.nan if v is None else v for v in values], style, label=label, ms=3, lw=1)
    for layer in worst:
        if layer.alone.sqnr_db is not None:
            axes.plot(layer.figures.place, layer.alone.sqnr_db, "rs", ms=6, fillstyle="none")
    axes.set_xlim(-0.5, len(layers) - 0.5)
    if len(layers) <= _NAMED:
        names = [layer.figures.name for layer in layers]
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    else:
        axes.set_xlabel("layers in the order of execution")
    axes.set_ylabel("SQNR (dB)")
    axes.set_title(f"{report.model}: where quantization adds noise (lower is worse)")
    axes.grid(visible=True, lw=0.3)
    axes.legend()


def _values(axes: Any, layer: LayerReport) -> None:
    """Draw the histogram of a layer's float values, and its quantized range."""
    figures = layer.figures
    edges = np.linspace(*figures.float_range, len(figures.histogram) + 1)
    axes.stairs(figures.histogram, edges, fill=True)
    if figures.quantized_range is not None:
        axes.axvspan(*figures.quantized_range, color="moccasin", zorder=0, label="quantized range")
        axes.legend()
    axes.set_yscale("log")
    axes.set_title(f"{figures.name}: {layer.finding.cause}")
    axes.set_ylabel("float values")
