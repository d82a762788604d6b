"""All metrics of each output, float and the others side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgepack.evaluation.results import Distance
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.stage_runs import StageOutput, output_names, stage_outputs, title
from edgepack.report.document.block_shortcuts import figures, table, words
from edgepack.report.document.blocks import Section, Table
from edgepack.report.format import amounts
from edgepack.report.format.text_table import NONE


def metrics(report: ComparisonReport) -> Section | None:
    """Give a table to each output: its metrics, and how far it is from float."""
    blocks: list[Table] = []
    for output in output_names(report):
        runs = stage_outputs(report, output)
        if rows := [*_measured(runs), *_distances(runs)]:
            columns = [words("metric"), *(figures(each.name) for each in runs)]
            blocks.append(table(title(report, "Metrics", output), columns, rows))
    if not blocks:
        return None
    return Section(
        id="metrics",
        title="Metrics",
        lead=(
            "What is lost against float is in brackets; a gain is negative, and a point is a"
            " hundredth."
        ),
        blocks=tuple(blocks),
    )


def _measured(runs: Sequence[StageOutput]) -> Iterator[list[str]]:
    titles = {name: found.title for each in runs for name, found in each.output.metrics.items()}
    for name, text in titles.items():
        cells = [_cell(each, name) for each in runs]
        if set(cells) != {NONE}:
            yield [text, *cells]


def _cell(each: StageOutput, name: str) -> str:
    metric = each.output.metrics.get(name)
    if metric is None:
        return NONE
    told, lost = amounts.value(metric, interval=False), amounts.loss(metric, interval=False)
    return told if lost == NONE else f"{told} [{lost}]"


def _distances(runs: Sequence[StageOutput]) -> Iterator[list[str]]:
    """Tell how far outputs are from float's, labels or not."""
    found = [each.output.distance for each in runs]
    if not any(found):
        return
    kinds: dict[str, Callable[[Distance], str]] = {
        "agreement with float": lambda distance: amounts.fraction(distance.agreement),
        "KL divergence, nats": lambda distance: amounts.plain(distance.kl_divergence),
        "SQNR": lambda distance: amounts.decibels(distance.sqnr_db),
        "largest error": lambda distance: amounts.plain(distance.max_abs_error),
        "mean error": lambda distance: amounts.plain(distance.mean_abs_error),
    }
    for name, told in kinds.items():
        cells = [told(distance) if distance else NONE for distance in found]
        if set(cells) != {NONE}:
            yield [name, *cells]
