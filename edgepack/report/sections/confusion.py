"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.stage_runs import StageOutput, output_names, title, worst_note, worst_runs
from edgepack.report.document.block_shortcuts import figures, table, words
from edgepack.report.document.blocks import Block, Plot, Section, Table
from edgepack.report.plots import confusion_heat_map as plot

_MOST = 40
_PAIRS = 20


def confusion(report: ComparisonReport) -> Section | None:
    """Draw a matrix for each model; of many classes, tell the pairs that are most confused."""
    blocks: list[Block] = []
    for place, output in enumerate(output_names(report)):
        runs = [each for each in worst_runs(report, output) if each.output.confusion]
        if not runs:
            continue
        names = [each.name for each in runs[0].output.classes]
        if len(names) > _MOST:
            blocks.append(_pairs(runs, names, title(report, "Most confused classes", output)))
            continue
        blocks += [
            _matrix(each, names, f"confusion-{place}-{index}", title(report, each.name, output))
            for index, each in enumerate(runs)
        ]
    if not blocks:
        return None
    return Section(
        id="confusion",
        title="Confusion",
        lead=f"Rows are labels, columns what the model says. {worst_note(report)}".strip(),
        blocks=tuple(blocks),
    )


def _matrix(each: StageOutput, names: Sequence[str], id: str, name: str) -> Plot:  # noqa: A002 (the SVG's)
    counts = [[0] * len(names) for _ in names]
    for label, told, many in each.output.confusion:
        counts[label][told] = many
    total, right = sum(map(sum, counts)), sum(row[index] for index, row in enumerate(counts))
    return Plot(
        title=name,
        description=f"{right:,} of {total:,} samples lie on the diagonal: they are told right.",
        svg=plot.confusion(id, names, counts),
        table=table(
            f"Confusion of {name}",
            [words("label"), *(figures(each_name) for each_name in names)],
            [
                [label, *(f"{count:,}" for count in row)]
                for label, row in zip(names, counts, strict=True)
            ],
        ),
    )


def _pairs(runs: Sequence[StageOutput], names: Sequence[str], name: str) -> Table:
    counts = [
        {(label, told): many for label, told, many in each.output.confusion if label != told}
        for each in runs
    ]
    pairs = set[tuple[int, int]]().union(*counts)

    def rank(pair: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        return -max(of.get(pair, 0) for of in counts), pair

    return table(
        name,
        [words("label"), words("told as"), *(figures(each.name) for each in runs)],
        [
            [
                names[label],
                names[told],
                *(f"{of.get((label, told), 0):,}" for of in counts),
            ]
            for label, told in sorted(pairs, key=rank)[:_PAIRS]
        ],
    )
