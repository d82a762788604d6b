"""The section of value histograms by layer, with the quantized ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.layer_errors.result import LayerFigures
from edgepack.report.data.compare import CompareReport
from edgepack.report.document.block_shortcuts import table_block
from edgepack.report.document.blocks import Block, Details, Plot, Section
from edgepack.report.format import amounts
from edgepack.report.plots.value_histogram import histogram_plot

_WORST = 4
_ROWS = 16


def ranges_section(report: CompareReport) -> Section | None:
    """Return histograms of the worst layers with their quantized ranges; the others collapsed."""
    blocks: list[Block] = []
    for place, stage in enumerate(report.stages):
        layers = stage.layers.layers if stage.layers else ()
        plots = [
            _plot(layer.figures, f"ranges-{place}-{layer.figures.place}", stage.name)
            for layer in layers
            if sum(layer.figures.histogram)
        ]
        blocks += plots[:_WORST]
        if rest := plots[_WORST:]:
            blocks.append(Details(summary=f"The other layers of {stage.name}", blocks=tuple(rest)))
    if not blocks:
        return None
    return Section(
        id="ranges",
        title="Ranges",
        lead=(
            "Values of the float model, worst layers first. Values outside the quantized range are"
            " clipped; a range that is too wide makes the steps too coarse."
        ),
        blocks=tuple(blocks),
    )


def _plot(figures: LayerFigures, id: str, stage: str) -> Plot:  # noqa: A002 (the SVG's)
    low, high = figures.float_range
    quantized = figures.quantized_range
    represented = (
        "not quantized" if quantized is None else f"the integers represent {_span(quantized)}"
    )
    return Plot(
        title=f"{figures.name} in {stage}",
        description=(
            f"Float values from {_span((low, high))}; {represented};"
            f" {amounts.format_percent(figures.saturation)} saturate."
        ),
        svg=histogram_plot(id, figures.histogram, (low, high), quantized),
        table=table_block(
            f"Values of {figures.name}",
            ["from", "to", "values"],
            _rows(figures.histogram, low, high),
        ),
    )


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"


def _rows(counts: Sequence[int], low: float, high: float) -> Iterator[list[str]]:
    """Return rows of counts in at most 16 bins, each of several of the histogram's."""
    size = -(-len(counts) // _ROWS)
    step = (high - low) / len(counts)
    for start in range(0, len(counts), size):
        stop = min(start + size, len(counts))
        ends = (f"{low + step * end:.4g}" for end in (start, stop))
        yield [*ends, f"{sum(counts[start:stop]):,}"]
