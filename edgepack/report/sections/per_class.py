"""How well each class is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.evaluation.results import ClassResult
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.stage_runs import (
    StageOutput,
    output_names,
    recall_lost,
    title,
    worst_note,
    worst_runs,
)
from edgepack.report.document.block_shortcuts import figures, table, words
from edgepack.report.document.blocks import Block, Details, Plot, Section, Text
from edgepack.report.format.amounts import number
from edgepack.report.format.text_table import NONE
from edgepack.report.plots.bars import bars

_MOST = 40
_SHOWN = 20


def classes(report: ComparisonReport) -> Section | None:
    """Draw the accuracy of each class, and give precision, recall, F1 and AUC."""
    blocks: list[Block] = []
    for place, output in enumerate(output_names(report)):
        runs = [each for each in worst_runs(report, output) if each.output.classes]
        if runs:
            blocks += _blocks(runs, f"classes-{place}", title(report, "Accuracy by class", output))
    if not blocks:
        return None
    lead = (
        "The share of each class's samples that are told right: its recall.",
        worst_note(report),
        ""
        if _are_named(report)
        else "Classes are called by their numbers; a file of labels gives them names.",
    )
    return Section(
        id="classes",
        title="Accuracy by class",
        lead=" ".join(filter(None, lead)),
        blocks=tuple(blocks),
    )


def _are_named(report: ComparisonReport) -> bool:
    names = (name for found in report.classes.values() for name in found)
    return not all(name.isdecimal() for name in names)


def _blocks(runs: Sequence[StageOutput], plot: str, name: str) -> Iterator[Block]:
    shown = _shown(runs)
    whole = len(runs[0].output.classes)
    if len(shown) < whole:
        yield Text(text=f"The {len(shown)} of {whole} classes that lost most are drawn.")
    series = [each.name for each in runs]
    recalls = [
        (of_float.name, [_percent(each.output.classes[index].recall) for each in runs])
        for index, of_float in ((index, runs[0].output.classes[index]) for index in shown)
    ]
    worst = recalls[0][0]
    yield Plot(
        title=name,
        description=f"Bars of {len(shown)} classes for {', '.join(series)}, {worst} first.",
        svg=bars(plot, recalls, series, unit="%", most=100.0),
        table=table(
            f"{name}, in percent",
            [words("class"), *(figures(each) for each in series)],
            [[label, *(_figure(value) for value in values)] for label, values in recalls],
        ),
    )
    yield Details(
        summary="Precision, recall, F1 and AUC of each class",
        blocks=tuple(_scores(each, name) for each in runs),
    )


def _shown(runs: Sequence[StageOutput]) -> list[int]:
    """Pick the classes to draw: all in their order, or the worst if they are many."""
    first = runs[0].output.classes
    if len(first) <= _MOST:
        return list(range(len(first)))
    lost = [
        max(recall_lost(of_float, each.output.classes[index]) for each in runs)
        for index, of_float in enumerate(first)
    ]
    return sorted(range(len(first)), key=lambda index: (-lost[index], index))[:_SHOWN]


def _scores(each: StageOutput, name: str) -> Block:
    columns = ["class", "samples", "precision", "recall", "F1", "AUC"]
    return table(f"{name}, {each.name}", columns, map(_row, each.output.classes))


def _row(found: ClassResult) -> list[str]:
    scores = (found.precision, found.recall, found.f1, found.roc_auc)
    return [found.name, f"{found.samples:,}", *map(number, scores)]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _figure(percent: float | None) -> str:
    return NONE if percent is None else f"{percent:.2f}"
