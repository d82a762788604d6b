"""The section of confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.report.data.compare import CompareReport
from edgepack.report.data.stage_runs import (
    StageOutput,
    output_names,
    output_title,
    worst_runs,
    worst_runs_note,
)
from edgepack.report.document.block_shortcuts import number_column, table_block, text_column
from edgepack.report.document.blocks import Block, Plot, Section, Table
from edgepack.report.plots import confusion_heat_map as plot

_MOST = 40
_PAIRS = 20


def confusion_section(report: CompareReport) -> Section | None:
    """Return a confusion matrix for each model, or for many classes the most confused pairs."""
    blocks: list[Block] = []
    for place, output in enumerate(output_names(report)):
        runs = [each for each in worst_runs(report, output) if each.output.confusion]
        if not runs:
            continue
        names = [each.name for each in runs[0].output.classes]
        if len(names) > _MOST:
            blocks.append(
                _pairs(runs, names, output_title(report, "Most confused classes", output))
            )
            continue
        blocks += [
            _matrix(
                each, names, f"confusion-{place}-{index}", output_title(report, each.name, output)
            )
            for index, each in enumerate(runs)
        ]
    if not blocks:
        return None
    return Section(
        id="confusion",
        title="Confusion",
        lead=f"Rows are labels, columns predicted classes. {worst_runs_note(report)}".strip(),
        blocks=tuple(blocks),
    )


def _matrix(each: StageOutput, names: Sequence[str], id: str, name: str) -> Plot:  # noqa: A002 (the SVG's)
    counts = [[0] * len(names) for _ in names]
    for label, predicted, count in each.output.confusion:
        counts[label][predicted] = count
    total, correct = sum(map(sum, counts)), sum(row[index] for index, row in enumerate(counts))
    return Plot(
        title=name,
        description=f"{correct:,} of {total:,} samples are on the diagonal: classified correctly.",
        svg=plot.confusion_plot(id, names, counts),
        table=table_block(
            f"Confusion of {name}",
            [text_column("label"), *(number_column(each_name) for each_name in names)],
            [
                [label, *(f"{count:,}" for count in row)]
                for label, row in zip(names, counts, strict=True)
            ],
        ),
    )


def _pairs(runs: Sequence[StageOutput], names: Sequence[str], name: str) -> Table:
    counts = [
        {
            (label, predicted): count
            for label, predicted, count in each.output.confusion
            if label != predicted
        }
        for each in runs
    ]
    pairs = set[tuple[int, int]]().union(*counts)

    def rank(pair: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        return -max(of_run.get(pair, 0) for of_run in counts), pair

    return table_block(
        name,
        [
            text_column("label"),
            text_column("predicted as"),
            *(number_column(each.name) for each in runs),
        ],
        [
            [
                names[label],
                names[predicted],
                *(f"{of_run.get((label, predicted), 0):,}" for of_run in counts),
            ]
            for label, predicted in sorted(pairs, key=rank)[:_PAIRS]
        ],
    )
