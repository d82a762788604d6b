"""The report of a validation as plain text: targets, interpreters, findings, verdict."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import OutputComparison
from edgepack.report.data.validate import RuntimeValidation, ValidateReport
from edgepack.report.format.amounts import (
    format_four_decimals,
    format_milliseconds,
    sampled_label,
    score_cells,
)
from edgepack.report.format.text_table import NONE, note_paragraphs, text_table
from edgepack.report.text.export import OFF_REFERENCE, channels_line, off_reference
from edgepack.report.text.target import render_findings, render_targets
from edgepack.report.text.verdict_line import verdict_line

_MIB = 1 << 20


def render_validation(report: ValidateReport) -> str:
    """Return the report as plain text; the verdict is the last line."""
    parts = [
        f"{report.model}  {report.artifact.bytes:,} B",
        render_targets(report.targets),
        *_interpreters(report),
        render_findings(report.targets),
        note_paragraphs(report.notes),
        verdict_line(report.targets, report.comparison, report.budgets, notes=report.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def _interpreters(report: ValidateReport) -> Iterator[str]:
    """Return how the interpreters ran the model, a table for each compared output."""
    if not report.runtimes:
        return
    outputs = report.comparison.outputs if report.comparison else {}
    names: list[str | None] = [*(outputs or report.metrics)]
    for name in names or [None]:
        title = f"output {name}\n" if len(names) > 1 else ""
        compared = outputs.get(name) if name else None
        yield title + text_table(list(_rows(report, name, compared))) + channels_line(compared)
    ran = f"{report.samples:,} {report.data} {'sample' if report.samples == 1 else 'samples'}"
    yield OFF_REFERENCE
    yield f"{text_table(list(_costs(report)))}\n\nran       on {ran}; {_HERE}"


def _rows(
    report: ValidateReport, output: str | None, compared: OutputComparison | None
) -> Iterator[list[str]]:
    metric = [compared.metric] if compared and compared.metric else []
    titles = [*metric, "agreement", "SQNR", "max error"] if compared else []
    own = output if output in report.metrics else None
    if own is not None:
        titles = [report.metrics[own]]
    yield ["interpreter", "version", *titles, "off reference"]
    if compared and metric:
        yield ["float", NONE, format_four_decimals(compared.float_value), *[NONE] * len(titles)]
    for name, runtime in report.runtimes.items():
        scores = score_cells(compared.quantized.get(name)) if compared else []
        if own is not None:
            scores = [format_four_decimals(runtime.values.get(own))]
        off = off_reference(runtime.failure, _deviation(runtime, output))
        label = sampled_label(name, runtime.sampled)
        yield [label, runtime.version, *scores[-len(titles) :], off]


_HERE = (
    "time and memory are this machine's, not a device's:\n          litert runs on XNNPACK,"
    " tflite-runtime only float models; tflm has no optimized kernels here"
)


def _deviation(runtime: RuntimeValidation, output: str | None) -> Deviation | None:
    """Return the deviation of an output, or the largest of all outputs if it is None."""
    if output:
        return runtime.deviations.get(output)
    return max(runtime.deviations.values(), key=lambda each: each.max_lsb, default=None)


def _costs(report: ValidateReport) -> Iterator[list[str]]:
    """Return time and memory of an inference on this machine, on one thread."""
    yield ["interpreter", "", "median", "90th pct", "of float", "memory"]
    for name, runtime in report.runtimes.items():
        yield [name, "", *cost_cells(runtime)]


def cost_cells(run: RuntimeValidation) -> list[str]:
    """Return median and 90th percentile (ms), ratio to float's time, and peak memory (MiB)."""
    latency, ratio, memory = run.latency, run.latency_ratio, run.peak_memory_bytes
    return [
        NONE if latency is None else format_milliseconds(latency.median_ms),
        NONE if latency is None else format_milliseconds(latency.p90_ms),
        NONE if ratio is None else f"{ratio:.2f}",
        NONE if memory is None else f"{memory / _MIB:.0f} MiB",
    ]
