"""Size against accuracy."""

from __future__ import annotations

from edgepack.evaluation.results import MetricResult
from edgepack.report.data.comparison import ComparisonReport, Stage
from edgepack.report.data.stage_runs import (
    output_names,
    title,
    verdict_metric,
    worst_note,
    worst_runs,
)
from edgepack.report.document.block_shortcuts import figures, table, words
from edgepack.report.document.blocks import Plot, Section
from edgepack.report.format import amounts
from edgepack.report.plots.scatter import Point, scatter

_FEWEST = 2


def sizes(report: ComparisonReport) -> Section | None:
    """Draw the metric of each model over the bytes of its file."""
    plots = [
        plot
        for place, output in enumerate(output_names(report))
        if (plot := _plot(report, output, f"sizes-{place}"))
    ]
    if not plots:
        return None
    return Section(
        id="sizes",
        title="Size against quality",
        lead=f"Bytes of the .tflite files; bars: 95 % intervals. {worst_note(report)}".strip(),
        blocks=tuple(plots),
    )


def _plot(report: ComparisonReport, output: str, id: str) -> Plot | None:  # noqa: A002 (the SVG's)
    found: list[tuple[Stage, int, MetricResult, float]] = []
    for each in worst_runs(report, output):
        metric = verdict_metric(report, output, each.output)
        if each.stage.artifact and metric and metric.value is not None:
            found.append((each.stage, each.stage.artifact.bytes, metric, metric.value))
    if len(found) < _FEWEST:
        return None
    points = [
        Point(
            name=stage.name,
            x=size,
            y=value,
            low=metric.interval.low if metric.interval else None,
            high=metric.interval.high if metric.interval else None,
            series=place,
        )
        for place, (stage, size, metric, value) in enumerate(found)
    ]
    what = found[0][2].title
    first, last = found[0], found[-1]
    return Plot(
        title=title(report, f"{what} over size", output),
        description=(
            f"{len(found)} models: {first[0].name} has {first[1]:,} bytes and a {what} of"
            f" {amounts.value(first[2], interval=False)}, {last[0].name} {last[1]:,} bytes and"
            f" {amounts.value(last[2], interval=False)}."
        ),
        svg=scatter(id, points, x="bytes", y=what),
        table=table(
            title(report, "Size and quality", output),
            [words("model"), figures("bytes"), figures(what)],
            [[stage.name, f"{size:,}", amounts.value(metric)] for stage, size, metric, _ in found],
        ),
    )
