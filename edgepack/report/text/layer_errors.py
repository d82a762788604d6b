"""The report of ``edgepack debug`` as plain text: a table of layers, then causes and cures."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

from edgepack.core.wording import counted
from edgepack.layer_errors.remedies import worst_layers
from edgepack.layer_errors.result import MIN_GAIN_DB, DebugReport, LayerReport, Trial, Trials
from edgepack.report.format.amounts import format_decibels, format_four_decimals, format_percent
from edgepack.report.format.text_table import list_names, note_paragraphs, text_table

_ROWS = 20
_WIDTH = 100
_CLOSE_DB = 40.0  # a hundredth of the amplitude
_LEGEND = (
    "share      output noise with only this layer quantized, over that of the quantized model",
    "alone      SQNR at the output with only this layer quantized",
    "SQNR       at the layer, quantized against float; cosine: of the angle between the two",
    "own        SQNR at the layer when its inputs are the float model's: without inherited error",
    "saturated  values outside the layer's range",
)
_AGREEMENT = "; agreement: samples of the same class"


def render_debug(report: DebugReport, folder: Path | None = None) -> str:
    """Return a table of the 20 worst layers, the causes of the five worst, and what helps.

    ``folder`` is where the report's files are; None if they are not kept.
    """
    parts = [
        "\n".join(_outputs(report)),
        "\n".join(_layers(report)),
        "\n".join(_legend(report)),
        _with_paths("\n".join(_sentences(report)), report, folder),
        _with_paths("\n".join(_trials(report.trials)), report, folder) if report.trials else "",
        "\n".join(filter(None, _notes(report, folder))),
    ]
    return "\n\n".join(part for part in parts if part)


def _outputs(report: DebugReport) -> Iterator[str]:
    for name, score in report.outputs.items():
        of = f" of {name}" if len(report.outputs) > 1 else ""
        scores = [f"SQNR {format_decibels(score.sqnr_db)}{of}"]
        if score.agreement is not None:
            scores.append(f"the same class for {score.agreement:.2%}")
        yield _wrapped(
            f"{report.model}, quantized against float: {', '.join(scores)} on"
            f" {counted(report.samples, f'{report.data} sample')}, with LiteRT's {report.kernels}"
            " kernels"
        )


def _layers(report: DebugReport) -> Iterator[str]:
    shown = report.layers[:_ROWS]
    rows = [_row(layer) for layer in shown]
    heading = ["layer", "operator", "share", "alone", "agreement", "SQNR", "own", "cosine"]
    table = [[*heading, "saturated"], *rows]
    if not _has_agreement(report):
        place = heading.index("agreement")
        table = [row[:place] + row[place + 1 :] for row in table]
    yield text_table(table)
    if rest := len(report.layers) - len(shown):
        yield f"and {rest} more with smaller shares"


def _legend(report: DebugReport) -> Iterator[str]:
    for line in _LEGEND:
        is_alone = line.startswith("alone") and _has_agreement(report)
        yield f"{line}{_AGREEMENT}" if is_alone else line


def _has_agreement(report: DebugReport) -> bool:
    """Whether the outputs have classes."""
    return any(layer.alone.agreement is not None for layer in report.layers[:_ROWS])


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
    worst = dict(enumerate(worst_layers(report.layers), start=1))
    places: dict[str, list[str]] = {}
    for place, layer in worst.items():
        places.setdefault(layer.finding.cure, []).append(str(place))
    for place, layer in worst.items():
        finding = layer.finding
        yield _wrapped(f"{place}. {layer.figures.name}, {finding.cause}: {finding.why}.")
        if len(places[finding.cure]) == 1:
            yield _wrapped(f"   To do: {finding.cure}")
    for cure, shared in places.items():
        if len(shared) > 1:
            several = f"{', '.join(shared[:-1])} and {shared[-1]}"
            which = "each" if len(shared) == len(worst) else several
            yield _wrapped(f"To do for {which}: {cure}")
    has_cure = report.lost_channels or (report.trials and report.trials.helpful)
    if _is_close(report) and not has_cure:
        yield "The quantized model's outputs are nearly those of float: little is left to gain."


def _is_close(report: DebugReport) -> bool:
    """Whether every output is nearly the float model's, and no predicted class differs."""
    return all(
        score.max_abs_error == 0
        or (
            (score.sqnr_db is not None and score.sqnr_db >= _CLOSE_DB)
            and score.agreement in (None, 1.0)
        )
        for score in report.outputs.values()
    )


def _trials(trials: Trials) -> Iterator[str]:
    """Yield what every change gave: first those that help."""
    helpful = trials.helpful
    others = [trial for trial in trials.tried if not trial.helps]
    yield _wrapped(f"{_tried(trials)}. {_ADD if helpful else ''}".rstrip())
    for trial in helpful:
        yield f"  {trial.options}: {_gave(trials, trial)}"
    if len(helpful) > 1:
        yield "Gains do not add up: add the best, then run this again."
    if others:
        lost = "" if trials.before.agreement is None else " without losing agreement"
        yield f"{'No other' if helpful else 'None'} gains {MIN_GAIN_DB:g} dB{lost}:"
        for trial in others:
            yield f"  {trial.options}: {_gave(trials, trial)}"


def _tried(trials: Trials) -> str:
    """Return how many changes were tried, on which interpreters, and what counts."""
    changes = counted(len(trials.tried), "change")
    left_out = f" ({trials.untried} more left out)" if trials.untried else ""
    counting = ""
    if len(trials.interpreters) > 1:
        counting = "; the worst of these counts"
    if trials.is_by_part:
        counting = f"{counting}, and of" if counting else "; of"
        counting += " an output its worst part"
    ran = ", ".join(trials.interpreters)
    return f"Tried {changes} of the options{left_out}, run on {ran}{counting}"


def _gave(trials: Trials, trial: Trial) -> str:
    """Return the SQNR and the agreement before and after a change, or why it was not made."""
    before, after = trials.before, trial.after
    if after is None:
        return f"failed: {trial.failure}"
    gains = f"SQNR {format_decibels(before.sqnr_db)} -> {format_decibels(after.sqnr_db)}"
    if before.agreement is None or after.agreement is None:
        return gains
    agreement = f"{format_percent(before.agreement)} -> {format_percent(after.agreement)}"
    is_chance = trial.helps and after.agreement < before.agreement
    return f"{gains}, agreement {agreement}{_CHANCE if is_chance else ''}"


_ADD = "Add one that helps:"
_CHANCE = " (no more than chance)"


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        subsequent_indent="   ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _ranges_files(report: DebugReport) -> list[str]:
    """Return the names of the files of ranges that help."""
    helpful = report.trials.helpful if report.trials else []
    return [trial.ranges_file for trial in helpful if trial.ranges_file]


def _with_paths(text: str, report: DebugReport, folder: Path | None) -> str:
    """Replace the names of files by their paths, as a shell accepts them."""
    if folder is None:
        return text
    for name in _ranges_files(report):
        text = text.replace(name, shlex.quote(str(folder / name)))
    return text


def _notes(report: DebugReport, folder: Path | None) -> Iterator[str]:
    if (names := _ranges_files(report)) and folder is None:
        yield f"note: debug keeps {list_names(names)} with --output"
    if report.unmatched:
        yield f"note: not in the quantized file, so not compared: {list_names(report.unmatched)}"
    yield note_paragraphs(report.notes)
