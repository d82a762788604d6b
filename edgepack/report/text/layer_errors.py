"""What debugging finds as a person reads it: a table, then a sentence for each of the worst."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from edgepack.layer_errors.causes import SMALL_SHARE
from edgepack.layer_errors.result import DebugReport, LayerReport
from edgepack.report.format.amounts import decibels, fraction, number
from edgepack.report.format.text_table import shorten, table

_ROWS = 20
_SENTENCES = 5
_WIDTH = 100
_CLOSE_DB = 40.0  # a hundredth of the amplitude
_LEGEND = """\
share      of the output's noise: this layer alone quantized over the whole model quantized
alone      SQNR at the output, this layer alone quantized, and how often the class stays the same
SQNR       at the layer, quantized against float; cosine: the angle between them
own        SQNR at the layer fed with float's values: what it does not inherit
saturated  values outside the layer's range"""


def render_debug(report: DebugReport) -> str:
    """Write the worst layers as a table, and what to do about the very worst."""
    parts = [
        "\n".join(_outputs(report)),
        "\n".join(_layers(report)),
        _LEGEND,
        "\n".join(_sentences(report)),
        "\n".join(_notes(report)),
    ]
    return "\n\n".join(part for part in parts if part)


def _outputs(report: DebugReport) -> Iterator[str]:
    for name, score in report.outputs.items():
        of = f" of {name}" if len(report.outputs) > 1 else ""
        said = [f"SQNR {decibels(score.sqnr_db)}{of}"]
        if score.agreement is not None:
            said.append(f"the same class for {score.agreement:.2%}")
        yield (
            f"{report.model}, quantized against float: {', '.join(said)} of"
            f" {report.samples} {report.data} samples"
        )


def _layers(report: DebugReport) -> Iterator[str]:
    heading = ["layer", "operator", "share", "alone", "agreement", "SQNR", "own", "cosine"]
    shown = report.layers[:_ROWS]
    yield table([[*heading, "saturated"], *(_row(layer) for layer in shown)])
    if rest := len(report.layers) - len(shown):
        yield f"and {rest} more, of a smaller share"


def _row(layer: LayerReport) -> list[str]:
    figures, alone = layer.figures, layer.alone
    return [
        figures.name,
        figures.operator,
        f"{layer.share:.1%}",
        decibels(alone.sqnr_db),
        fraction(alone.agreement),
        decibels(figures.sqnr_db["total"]),
        decibels(figures.sqnr_db["own"]),
        number(figures.cosine),
        fraction(figures.saturation),
    ]


def _sentences(report: DebugReport) -> Iterator[str]:
    found = [score.sqnr_db for score in report.outputs.values() if score.sqnr_db is not None]
    if not found or min(found) >= _CLOSE_DB:
        yield "The quantized model gives nearly what float gives: there is little left to gain."
    worst = [layer for layer in report.layers if layer.share >= SMALL_SHARE][:_SENTENCES]
    for place, layer in enumerate(worst, start=1):
        finding = layer.finding
        yield _wrapped(f"{place}. {layer.figures.name}, {finding.cause}: {finding.why}.")
        yield _wrapped(f"   To do: {finding.cure}.")
    if len(worst) > 1:
        yield "Mend the first, then look again: errors cancel in part, and the rest will change."


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        subsequent_indent="   ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _notes(report: DebugReport) -> Iterator[str]:
    if report.unmatched:
        yield f"note: not in the quantized file, so not compared: {shorten(report.unmatched)}"
    for note in report.notes:
        yield f"note: {note}"
