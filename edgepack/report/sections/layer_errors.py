"""Where the error comes from: layer by layer, with causes and cures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.core.wording import counted
from edgepack.layer_errors.result import DebugReport, LayerReport
from edgepack.report.data.comparison import ComparisonReport, Stage
from edgepack.report.document.block_shortcuts import bullets, figures, table, words
from edgepack.report.document.blocks import Block, Details, Plot, Section, Text
from edgepack.report.format import amounts
from edgepack.report.plots.along_layers import along

_WORST = 8
_EXPLAINED = 3


def layers(report: ComparisonReport) -> Section | None:
    """Draw the signal-to-noise ratio along the layers, and tell the worst with their reasons."""
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
            "A layer's share is the noise that it makes alone at the outputs, over that of the"
            " whole quantized model. Shares need not add up: noises meet on their way."
        ),
        blocks=tuple(blocks),
    )


def _blocks(stage: Stage, found: DebugReport, plot: str) -> Iterator[Block]:
    in_order = sorted(found.layers, key=lambda layer: layer.figures.place)
    yield _along(stage.name, in_order, plot)
    columns = [
        words("layer"),
        words("operator"),
        figures("share"),
        figures("SQNR", "of its values as the model runs; higher is better"),
        figures("own SQNR", "of the layer alone, fed with float's values"),
        figures("saturated", "values outside its range"),
        words("cause"),
    ]
    worst, rest = found.layers[:_WORST], found.layers[_WORST:]
    yield table(f"The layers of {stage.name} that matter most", columns, map(_row, worst))
    yield from bullets(map(_reason, worst[:_EXPLAINED]))
    if others := bullets(map(_reason, worst[_EXPLAINED:])):
        yield Details(summary=f"Reasons of the others of {stage.name}", blocks=others)
    if rest:
        folded = table(f"The other layers of {stage.name}", columns, map(_row, rest))
        more = counted(len(rest), "layer")
        yield Details(summary=f"{more} more of {stage.name}", blocks=(folded,))
    if found.unmatched:
        names = tuple(found.unmatched)
        yield Details(
            summary=f"Not in {stage.name}, so not compared: {counted(len(names), 'layer')}",
            blocks=bullets(names),
        )
    yield from bullets(found.notes)


def _reason(layer: LayerReport) -> str:
    found = layer.finding
    return f"{layer.figures.name}, {found.cause}: {found.why}. To do: {found.cure}."


def _along(name: str, in_order: Sequence[LayerReport], plot: str) -> Plot:
    names = [layer.figures.name for layer in in_order]
    totals = [layer.figures.sqnr_db.get("total") for layer in in_order]
    own = [layer.figures.sqnr_db.get("own") for layer in in_order]
    known = [value for value in totals if value is not None]
    least = f", {min(known):.1f} dB at least" if known else ""
    return Plot(
        title=f"SQNR along the layers of {name}",
        description=f"{len(names)} layers in the order of execution{least}; higher is better.",
        svg=along(plot, names, [("as it runs", totals), ("fed with float", own)], unit="dB"),
        table=table(
            f"SQNR along the layers of {name}",
            ["layer", "as it runs", "fed with float"],
            [
                [layer, amounts.decibels(total), amounts.decibels(alone)]
                for layer, total, alone in zip(names, totals, own, strict=True)
            ],
        ),
    )


def _row(layer: LayerReport) -> list[str]:
    found = layer.figures
    return [
        found.name,
        found.operator,
        f"{layer.share:.1%}",
        amounts.decibels(found.sqnr_db.get("total")),
        amounts.decibels(found.sqnr_db.get("own")),
        amounts.fraction(found.saturation),
        layer.finding.cause,
    ]
