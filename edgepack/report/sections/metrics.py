"""The section of all metrics of each output, models side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgepack.evaluation.results import Distance
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.stage_runs import StageOutput, output_names, output_title, stage_outputs
from edgepack.report.document.block_shortcuts import number_column, table_block, text_column
from edgepack.report.document.blocks import Section, Table
from edgepack.report.format import amounts
from edgepack.report.format.text_table import NONE


def metrics_section(report: CompareReport) -> Section | None:
    """Return a table for each output: its metrics, and its distances from float."""
    blocks: list[Table] = []
    for output in output_names(report):
        runs = stage_outputs(report, output)
        if rows := [*_measured(runs), *_distances(runs)]:
            columns = [text_column("metric"), *(number_column(each.name) for each in runs)]
            blocks.append(table_block(output_title(report, "Metrics", output), columns, rows))
    if not blocks:
        return None
    return Section(
        id="metrics",
        title="Metrics",
        lead=("Losses against float are in brackets, negative for a gain. A point is a hundredth."),
        blocks=tuple(blocks),
    )


def _measured(runs: Sequence[StageOutput]) -> Iterator[list[str]]:
    titles = {name: metric.title for each in runs for name, metric in each.output.metrics.items()}
    for name, title in titles.items():
        cells = [_cell(each, name) for each in runs]
        if set(cells) != {NONE}:
            yield [title, *cells]


def _cell(each: StageOutput, name: str) -> str:
    metric = each.output.metrics.get(name)
    if metric is None:
        return NONE
    value, loss = (
        amounts.format_metric(metric, interval=False),
        amounts.format_loss(metric, interval=False),
    )
    return value if loss == NONE else f"{value} [{loss}]"


def _distances(runs: Sequence[StageOutput]) -> Iterator[list[str]]:
    """Return rows of distances from the float outputs, which need no labels."""
    distances = [each.output.distance for each in runs]
    if not any(distances):
        return
    kinds: dict[str, Callable[[Distance], str]] = {
        "agreement with float": lambda distance: amounts.format_percent(distance.agreement),
        "KL divergence, nats": lambda distance: amounts.format_three_digits(distance.kl_divergence),
        "SQNR": lambda distance: amounts.format_decibels(distance.sqnr_db),
        "max error": lambda distance: amounts.format_three_digits(distance.max_abs_error),
        "mean error": lambda distance: amounts.format_three_digits(distance.mean_abs_error),
    }
    for name, write in kinds.items():
        cells = [write(distance) if distance else NONE for distance in distances]
        if set(cells) != {NONE}:
            yield [name, *cells]
