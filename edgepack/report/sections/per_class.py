"""The section of per-class accuracy: precision, recall, F1 and ROC AUC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.evaluation.results import ClassResult
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.stage_runs import (
    StageOutput,
    output_names,
    output_title,
    recall_lost,
    worst_runs,
    worst_runs_note,
)
from edgepack.report.document.block_shortcuts import number_column, table_block, text_column
from edgepack.report.document.blocks import Block, Details, Plot, Section, Text
from edgepack.report.format.amounts import format_four_decimals
from edgepack.report.format.text_table import NONE
from edgepack.report.plots.bars import bar_plot

_MOST = 40
_SHOWN = 20


def per_class_section(report: CompareReport) -> Section | None:
    """Return a plot of each class's recall, and precision, recall, F1 and ROC AUC."""
    blocks: list[Block] = []
    for place, output in enumerate(output_names(report)):
        runs = [each for each in worst_runs(report, output) if each.output.classes]
        if runs:
            blocks += _blocks(
                runs, f"classes-{place}", output_title(report, "Accuracy by class", output)
            )
    if not blocks:
        return None
    lead = (
        "Recall: the fraction of each class's samples that are classified correctly.",
        worst_runs_note(report),
        ""
        if _are_named(report)
        else "Classes are shown by number; a labels file gives them names.",
    )
    return Section(
        id="classes",
        title="Accuracy by class",
        lead=" ".join(filter(None, lead)),
        blocks=tuple(blocks),
    )


def _are_named(report: CompareReport) -> bool:
    names = (name for classes in report.classes.values() for name in classes)
    return not all(name.isdecimal() for name in names)


def _blocks(runs: Sequence[StageOutput], plot_id: str, name: str) -> Iterator[Block]:
    shown = _shown(runs)
    total = len(runs[0].output.classes)
    if len(shown) < total:
        yield Text(text=f"Showing the {len(shown)} of {total} classes that lost most.")
    series = [each.name for each in runs]
    recalls = [
        (of_float.name, [_percent(each.output.classes[index].recall) for each in runs])
        for index, of_float in ((index, runs[0].output.classes[index]) for index in shown)
    ]
    worst = recalls[0][0]
    yield Plot(
        title=name,
        description=f"Bars of {len(shown)} classes for {', '.join(series)}, {worst} first.",
        svg=bar_plot(plot_id, recalls, series, unit="%", most=100.0),
        table=table_block(
            f"{name}, in percent",
            [text_column("class"), *(number_column(each) for each in series)],
            [[label, *(_figure(value) for value in values)] for label, values in recalls],
        ),
    )
    yield Details(
        summary="Precision, recall, F1 and AUC of each class",
        blocks=tuple(_scores(each, name) for each in runs),
    )


def _shown(runs: Sequence[StageOutput]) -> list[int]:
    """Return the indices of the classes to draw: all in order, or the worst if there are many."""
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
    return table_block(f"{name}, {each.name}", columns, map(_row, each.output.classes))


def _row(result: ClassResult) -> list[str]:
    scores = (result.precision, result.recall, result.f1, result.roc_auc)
    return [result.name, f"{result.samples:,}", *map(format_four_decimals, scores)]


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _figure(percent: float | None) -> str:
    return NONE if percent is None else f"{percent:.2f}"
