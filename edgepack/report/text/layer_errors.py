"""The report of ``edgepack debug`` as plain text: a table of layers, then causes and cures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from edgepack.layer_errors.causes import SMALL_SHARE
from edgepack.layer_errors.result import DebugReport, LayerReport
from edgepack.report.format.amounts import format_decibels, format_four_decimals, format_percent
from edgepack.report.format.text_table import list_names, note_paragraphs, text_table

_ROWS = 20
_SENTENCES = 5
_WIDTH = 100
_CLOSE_DB = 40.0  # a hundredth of the amplitude
_LEGEND = """\
share      output noise with only this layer quantized, over that of the whole quantized model
alone      SQNR at the output with only this layer quantized; agreement: samples of the same class
SQNR       at the layer, quantized against float; cosine: of the angle between the two
own        SQNR at the layer when its inputs are the float model's: without inherited error
saturated  values outside the layer's range"""


def render_debug(report: DebugReport) -> str:
    """Return a table of the 20 worst layers, and what to do about the five worst."""
    parts = [
        "\n".join(_outputs(report)),
        "\n".join(_layers(report)),
        _LEGEND,
        "\n".join(_sentences(report)),
        "\n".join(filter(None, _notes(report))),
    ]
    return "\n\n".join(part for part in parts if part)


def _outputs(report: DebugReport) -> Iterator[str]:
    for name, score in report.outputs.items():
        of = f" of {name}" if len(report.outputs) > 1 else ""
        scores = [f"SQNR {format_decibels(score.sqnr_db)}{of}"]
        if score.agreement is not None:
            scores.append(f"the same class for {score.agreement:.2%}")
        yield (
            f"{report.model}, quantized against float: {', '.join(scores)} of"
            f" {report.samples} {report.data} samples"
        )


def _layers(report: DebugReport) -> Iterator[str]:
    heading = ["layer", "operator", "share", "alone", "agreement", "SQNR", "own", "cosine"]
    shown = report.layers[:_ROWS]
    yield text_table([[*heading, "saturated"], *(_row(layer) for layer in shown)])
    if rest := len(report.layers) - len(shown):
        yield f"and {rest} more with smaller shares"


def _row(layer: LayerReport) -> list[str]:
    figures, alone = layer.figures, layer.alone
    return [
        figures.name,
        figures.operator,
        f"{layer.share:.1%}",
        format_decibels(alone.sqnr_db),
        format_percent(alone.agreement),
        format_decibels(figures.sqnr_db["total"]),
        format_decibels(figures.sqnr_db["own"]),
        format_four_decimals(figures.cosine),
        format_percent(figures.saturation),
    ]


def _sentences(report: DebugReport) -> Iterator[str]:
    for finding in report.lost_channels.values():
        yield _wrapped(f"{finding.cause}: {finding.why}.")
        yield _wrapped(f"   To do: {finding.cure}.")
    ratios = [score.sqnr_db for score in report.outputs.values() if score.sqnr_db is not None]
    if not report.lost_channels and (not ratios or min(ratios) >= _CLOSE_DB):
        yield "The quantized model's outputs are nearly those of float: little is left to gain."
    worst = [layer for layer in report.layers if layer.share >= SMALL_SHARE][:_SENTENCES]
    for place, layer in enumerate(worst, start=1):
        finding = layer.finding
        yield _wrapped(f"{place}. {layer.figures.name}, {finding.cause}: {finding.why}.")
        yield _wrapped(f"   To do: {finding.cure}.")
    if len(worst) > 1:
        yield "Fix the first, then run this again: errors partly cancel, so the others will change."


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
        yield f"note: not in the quantized file, so not compared: {list_names(report.unmatched)}"
    yield note_paragraphs(report.notes)
