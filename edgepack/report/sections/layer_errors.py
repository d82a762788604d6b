"""The section of quantization errors by layer, with causes and cures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.core.wording import counted
from edgepack.layer_errors.result import DebugReport, LayerReport
from edgepack.report.data.compare import CompareReport, Stage
from edgepack.report.document.block_shortcuts import (
    bullet_blocks,
    number_column,
    table_block,
    text_column,
)
from edgepack.report.document.blocks import Block, Details, Plot, Section, Text
from edgepack.report.format import amounts
from edgepack.report.plots.layer_lines import layer_line_plot

_WORST = 8
_EXPLAINED = 3


def layer_errors_section(report: CompareReport) -> Section | None:
    """Return the SQNR by layer, and the worst layers with causes and cures."""
    blocks: list[Block] = []
    for place, stage in enumerate(report.stages):
        if stage.layers and stage.layers.layers:
            blocks += _blocks(stage, stage.layers, f"layers-{place}")
        elif stage.why_no_layers:
            blocks.append(Text(text=f"{stage.name}: {stage.why_no_layers}"))
    if not blocks:
        return None
    return Section(
        id="layers",
        title="Error by layer",
        lead=(
            "A layer's share is the noise at the outputs with only that layer quantized, divided by"
            " that of the whole quantized model. Shares need not add up to 100%: the errors of"
            " layers partly cancel or add up."
        ),
        blocks=tuple(blocks),
    )


def _blocks(stage: Stage, report: DebugReport, plot_id: str) -> Iterator[Block]:
    in_order = sorted(report.layers, key=lambda layer: layer.figures.place)
    yield _sqnr_plot(stage.name, in_order, plot_id)
    columns = [
        text_column("layer"),
        text_column("operator"),
        number_column("share"),
        number_column("SQNR", "of its values in the quantized model; higher is better"),
        number_column(
            "own SQNR", "of the layer with the float model's inputs: without inherited error"
        ),
        number_column("saturated", "values outside its range"),
        text_column("cause"),
    ]
    worst, rest = report.layers[:_WORST], report.layers[_WORST:]
    yield table_block(f"The layers of {stage.name} that matter most", columns, map(_row, worst))
    yield from bullet_blocks(
        f"{each.cause}: {each.why}. To do: {each.cure}." for each in report.lost_channels.values()
    )
    yield from bullet_blocks(map(_reason, worst[:_EXPLAINED]))
    if others := bullet_blocks(map(_reason, worst[_EXPLAINED:])):
        yield Details(summary=f"Causes of the others in {stage.name}", blocks=others)
    if rest:
        others_table = table_block(f"The other layers of {stage.name}", columns, map(_row, rest))
        others_count = counted(len(rest), "layer")
        yield Details(summary=f"The other {others_count} of {stage.name}", blocks=(others_table,))
    if report.unmatched:
        names = tuple(report.unmatched)
        yield Details(
            summary=f"Not in {stage.name}, so not compared: {counted(len(names), 'layer')}",
            blocks=bullet_blocks(names),
        )
    yield from bullet_blocks(report.notes)


def _reason(layer: LayerReport) -> str:
    finding = layer.finding
    return f"{layer.figures.name}, {finding.cause}: {finding.why}. To do: {finding.cure}."


def _sqnr_plot(name: str, in_order: Sequence[LayerReport], plot_id: str) -> Plot:
    names = [layer.figures.name for layer in in_order]
    totals = [layer.figures.sqnr_db.get("total") for layer in in_order]
    own = [layer.figures.sqnr_db.get("own") for layer in in_order]
    known = [value for value in totals if value is not None]
    least = f", at least {min(known):.1f} dB" if known else ""
    return Plot(
        title=f"SQNR along the layers of {name}",
        description=f"{len(names)} layers in the order of execution{least}; higher is better.",
        svg=layer_line_plot(
            plot_id, names, [("quantized model", totals), ("float inputs", own)], unit="dB"
        ),
        table=table_block(
            f"SQNR along the layers of {name}",
            ["layer", "quantized model", "float inputs"],
            [
                [layer, amounts.format_decibels(total), amounts.format_decibels(alone)]
                for layer, total, alone in zip(names, totals, own, strict=True)
            ],
        ),
    )


def _row(layer: LayerReport) -> list[str]:
    figures = layer.figures
    return [
        figures.name,
        figures.operator,
        f"{layer.share:.1%}",
        amounts.format_decibels(figures.sqnr_db.get("total")),
        amounts.format_decibels(figures.sqnr_db.get("own")),
        amounts.format_percent(figures.saturation),
        layer.finding.cause,
    ]
