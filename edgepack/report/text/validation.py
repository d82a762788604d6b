"""A validation as a person reads it: targets, interpreters, what was found, one verdict line."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.core.wording import counted
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import OutputComparison
from edgepack.report.data.target import FAILED, NOT_CHECKED
from edgepack.report.data.validation import RuntimeValidation, ValidationReport
from edgepack.report.format.amounts import cells, interpreter, milliseconds, number
from edgepack.report.format.text_table import NONE, hang, shorten, table
from edgepack.report.text.export import off_reference
from edgepack.report.text.target import render_findings, render_targets

_MIB = 1 << 20


def render_validation(report: ValidationReport) -> str:
    """Write a report in plain text."""
    parts = [
        f"{report.model}  {report.artifact.bytes:,} B",
        render_targets(report.targets),
        *_interpreters(report),
        render_findings(report.targets),
        "\n".join(hang("note: ", note) for note in report.notes),
        validation_verdict(report),
    ]
    return "\n\n".join(part for part in parts if part)


def _interpreters(report: ValidationReport) -> Iterator[str]:
    """Tell how the interpreters ran the model: a table for each output that is compared."""
    if not report.runtimes:
        return
    outputs = report.comparison.outputs if report.comparison else {}
    for name in outputs or [None]:
        title = f"output {name}\n" if len(outputs) > 1 else ""
        yield title + table(list(_rows(report, name, outputs.get(name) if name else None)))
    ran = f"{report.samples:,} {report.data} {'sample' if report.samples == 1 else 'samples'}"
    yield f"{table(list(_costs(report)))}\n\nran       on {ran}; {_HERE}"


def _rows(
    report: ValidationReport, output: str | None, compared: OutputComparison | None
) -> Iterator[list[str]]:
    metric = [compared.metric] if compared and compared.metric else []
    against = [*metric, "agreement", "SQNR", "max error"] if compared else []
    yield ["interpreter", "version", *against, "off reference"]
    if compared and metric:
        yield ["float", NONE, number(compared.float_value), *[NONE] * len(against)]
    for name, runtime in report.runtimes.items():
        scored = cells(compared.quantized.get(name)) if compared else []
        off = off_reference(runtime.failure, _deviation(runtime, output))
        told = interpreter(compared, name) if compared else name
        yield [told, runtime.version, *scored[-len(against) :], off]


_HERE = "time and memory are this machine's, not a device's"


def _deviation(runtime: RuntimeValidation, output: str | None) -> Deviation | None:
    """Find the deviation of an output, or the largest where outputs are not told apart."""
    if output:
        return runtime.deviations.get(output)
    return max(runtime.deviations.values(), key=lambda each: each.max_lsb, default=None)


def _costs(report: ValidationReport) -> Iterator[list[str]]:
    """Tell what an inference takes here, on one thread, and how much of the float model's time."""
    yield ["interpreter", "", "median", "90 %", "of float", "memory"]
    for name, runtime in report.runtimes.items():
        yield [name, "", *costs(runtime)]


def costs(run: RuntimeValidation) -> list[str]:
    """Write the median and the 90th percentile of the times, the ratio to float's, the memory."""
    latency, ratio, memory = run.latency, run.latency_ratio, run.peak_memory_bytes
    return [
        NONE if latency is None else milliseconds(latency.median_ms),
        NONE if latency is None else milliseconds(latency.p90_ms),
        NONE if ratio is None else f"{ratio:.2f}",
        NONE if memory is None else f"{memory / _MIB:.0f} MiB",
    ]


def validation_verdict(report: ValidationReport) -> str:
    """Say in one line on which targets the model passed."""
    words = {
        word: [name for name, found in report.targets.items() if found.word == word]
        for word in (FAILED, NOT_CHECKED)
    }
    told = [f"{word.upper()} on {shorten(names)}" for word, names in words.items() if names]
    count = len(report.targets)
    passed = count - sum(map(len, words.values()))
    if not told:
        return f"PASSED on {counted(count, 'target')}"
    return "; ".join([*told, f"passed on {passed} of {count}"])
