"""The section of file size against quality."""

from __future__ import annotations

from edgepack.evaluation.results import MetricResult
from edgepack.report.data.compare import CompareReport, Stage
from edgepack.report.data.stage_runs import (
    output_names,
    output_title,
    verdict_metric,
    worst_runs,
    worst_runs_note,
)
from edgepack.report.document.block_shortcuts import number_column, table_block, text_column
from edgepack.report.document.blocks import Plot, Section
from edgepack.report.format import amounts
from edgepack.report.plots.scatter import Point, scatter_plot

_FEWEST = 2


def sizes_section(report: CompareReport) -> Section | None:
    """Return a plot of each model's verdict metric over the size of its file, in bytes."""
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
        lead=f"Bytes of the .tflite files; bars: 95% intervals. {worst_runs_note(report)}".strip(),
        blocks=tuple(plots),
    )


def _plot(report: CompareReport, output: str, id: str) -> Plot | None:  # noqa: A002 (the SVG's)
    models: list[tuple[Stage, int, MetricResult, float]] = []
    for each in worst_runs(report, output):
        metric = verdict_metric(report, output, each.output)
        if each.stage.artifact and metric and metric.value is not None:
            models.append((each.stage, each.stage.artifact.bytes, metric, metric.value))
    if len(models) < _FEWEST:
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
        for place, (stage, size, metric, value) in enumerate(models)
    ]
    metric_title = models[0][2].title
    first, last = models[0], models[-1]
    return Plot(
        title=output_title(report, f"{metric_title} over size", output),
        description=(
            f"{len(models)} models: {first[0].name} has {first[1]:,} bytes and {metric_title}"
            f" {amounts.format_metric(first[2], interval=False)}, {last[0].name} has {last[1]:,}"
            f" bytes and {amounts.format_metric(last[2], interval=False)}."
        ),
        svg=scatter_plot(id, points, x="bytes", y=metric_title),
        table=table_block(
            output_title(report, "Size and quality", output),
            [text_column("model"), number_column("bytes"), number_column(metric_title)],
            [
                [stage.name, f"{size:,}", amounts.format_metric(metric)]
                for stage, size, metric, _ in models
            ],
        ),
    )
