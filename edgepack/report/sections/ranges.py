"""What the values of layers are, and what of them the integers hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.layer_errors.result import Figures
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.document.block_shortcuts import table
from edgepack.report.document.blocks import Block, Details, Plot, Section
from edgepack.report.format import amounts
from edgepack.report.plots.value_histogram import histogram

_WORST = 4
_ROWS = 16


def ranges(report: ComparisonReport) -> Section | None:
    """Draw histograms of the worst layers over their quantized range; the rest are folded in."""
    blocks: list[Block] = []
    for place, stage in enumerate(report.stages):
        found = stage.layers.layers if stage.layers else ()
        plots = [
            _plot(layer.figures, f"ranges-{place}-{layer.figures.place}", stage.name)
            for layer in found
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
            "Values in float, those of the worst layers first. What lies outside the quantized"
            " range is clipped; one that is too wide makes steps too coarse."
        ),
        blocks=tuple(blocks),
    )


def _plot(found: Figures, id: str, stage: str) -> Plot:  # noqa: A002 (the SVG's)
    low, high = found.float_range
    held = found.quantized_range
    told = "it is not quantized" if held is None else f"integers hold {_span(held)}"
    return Plot(
        title=f"{found.name} in {stage}",
        description=(
            f"Float values from {_span((low, high))}; {told};"
            f" {amounts.fraction(found.saturation)} saturate."
        ),
        svg=histogram(id, found.histogram, (low, high), held),
        table=table(
            f"Values of {found.name}",
            ["from", "to", "values"],
            _rows(found.histogram, low, high),
        ),
    )


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"


def _rows(counts: Sequence[int], low: float, high: float) -> Iterator[list[str]]:
    """Count by a few bins, each of several of the histogram's."""
    size = -(-len(counts) // _ROWS)
    step = (high - low) / len(counts)
    for start in range(0, len(counts), size):
        stop = min(start + size, len(counts))
        ends = (f"{low + step * end:.4g}" for end in (start, stop))
        yield [*ends, f"{sum(counts[start:stop]):,}"]
