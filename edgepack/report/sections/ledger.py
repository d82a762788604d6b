"""The ledger: what a model is, and what it costs, from float to the C array."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.evaluation.bootstrap import RESAMPLES, TABLES
from edgepack.evaluation.drop_sentences import samples_in_words
from edgepack.evaluation.scores import Comparison
from edgepack.report.data.comparison import FLOAT, ComparisonReport, Stage, StageRun
from edgepack.report.data.compression import StepReport
from edgepack.report.data.stage_runs import all_runs, output_names, stage_outputs, verdict_metric
from edgepack.report.document.block_shortcuts import figures, table, toned, words
from edgepack.report.document.blocks import Column, Row, Section, Tone
from edgepack.report.format import amounts
from edgepack.report.format.amounts import cells, interpreter, milliseconds, number
from edgepack.report.format.text_table import NONE
from edgepack.runtimes import LITERT, TFLM

_LEAD = (
    "What each model is worth and what it costs: flash and arena on the device, latency on this"
    " machine."
)

_RUNS_C = TFLM.name
_TIMES_FLOAT = LITERT.name

_P = (
    "McNemar's test: how likely chance alone makes a change so uneven; what is small speaks for a"
    " real one"
)


def ledger(report: ComparisonReport) -> Section | None:
    """Give a row to each model on each interpreter, and to the C array."""
    if not report.stages:
        return None
    outputs, boards = output_names(report), _boards(report.stages)
    columns = [words("model"), words("interpreter"), *_metric_columns(report, outputs)]
    columns.append(figures("file", "bytes of the .tflite file"))
    columns += _memory_columns(boards)
    columns += [
        figures(
            "latency",
            "median time of one inference on this machine, not on a device; float's is that of"
            " its .tflite file on LiteRT",
        ),
        figures("of float", "that time over the float .tflite file's on the same interpreter"),
    ]
    rows: list[Row] = []
    for stage in report.stages:
        size = amounts.bytes_of(stage.artifact.bytes if stage.artifact else None)
        rest = [size, *_memory(stage, boards)]
        told = {
            runtime: [*_metrics(report, outputs, run), *rest, *_latency(stage, runtime)]
            for runtime, run in stage.runs.items()
        }
        rows += [
            toned([stage.name, runtime, *cells], Tone.BAD if run.failure else Tone.PLAIN)
            for (runtime, cells), run in zip(told.items(), stage.runs.values(), strict=True)
        ]
        unknown = [NONE] * (len(columns) - 2)
        rows += _c_array(stage, told.get(_RUNS_C, unknown), unknown)
    return Section(
        id="ledger",
        title="From float to C",
        lead=_LEAD,
        blocks=(table("Each model on each interpreter", columns, rows),),
    )


def score_ledger(
    comparison: Comparison, float_runtime: str, compression: Sequence[StepReport] = ()
) -> Section:
    """Give a row to each model on each interpreter, where no intervals are known."""
    blocks = [
        table(
            f"Each model on each interpreter, output {name}",
            [
                words("model"),
                words("interpreter"),
                *(
                    figures(title)
                    for title in (output.metric or "metric", "agreement", "SQNR", "largest error")
                ),
            ],
            [
                ["float", float_runtime, number(output.float_value), *[NONE] * 3],
                *(
                    [step.stage, step.record.runtime, *cells(step.outputs.get(name))]
                    for step in compression
                ),
                *(
                    [comparison.scheme, interpreter(output, runtime), *cells(score)]
                    for runtime, score in output.quantized.items()
                ),
            ],
        )
        for name, output in comparison.outputs.items()
    ]
    return Section(
        id="ledger",
        title="Float against quantized",
        lead=f"On {samples_in_words(comparison.samples)} of the {comparison.data} data.",
        blocks=tuple(blocks),
    )


def _metric_columns(report: ComparisonReport, outputs: Sequence[str]) -> list[Column]:
    columns = []
    for output in outputs:
        of = f" of {output}" if len(outputs) > 1 else ""
        if output in report.metrics:
            columns += [
                figures(f"{_title(report, output)}{of}", _metric_hint(report, output)),
                figures(f"lost{of}", _loss_hint(report, output)),
            ]
            if _has_p(report, output):
                columns.append(figures(f"p{of}", _P))
        else:
            columns.append(figures(f"SQNR{of}", "of float's outputs over the error, in power"))
    return columns


def _memory_columns(boards: Sequence[str]) -> list[Column]:
    """Name the device in the heading only where there are several."""
    of = {name: f" on {name}" if len(boards) > 1 else "" for name in boards}
    flash = "computed for {}: the model and the runtime"
    arena = "computed for {}: the least RAM in which the interpreter starts the model"
    return [
        *(figures(f"flash{of[name]}", flash.format(name)) for name in boards),
        *(figures(f"arena{of[name]}", arena.format(name)) for name in boards),
    ]


def _metric_hint(report: ComparisonReport, output: str) -> str:
    """Say what the interval of a metric is: Wilson's of an accuracy, or bootstrapped."""
    if _has_p(report, output):
        return "below it its 95 % interval (Wilson)"
    return f"below it its 95 % interval (bootstrap, {RESAMPLES:,} resamples, seeded)"


def _loss_hint(report: ComparisonReport, output: str) -> str:
    if _has_p(report, output):
        how = f"Bonett and Price, {TABLES:,} draws, seeded"
    else:
        how = f"bootstrap, {RESAMPLES:,} resamples, seeded, the same for both"
    return f"against float; a gain is negative; below it its 95 % interval ({how})"


def _has_p(report: ComparisonReport, output: str) -> bool:
    """Whether McNemar's test applies to the metric."""
    metrics = (
        verdict_metric(report, output, each.output) for each in stage_outputs(report, output)
    )
    return any(metric and metric.change and metric.change.p_value is not None for metric in metrics)


def _title(report: ComparisonReport, output: str) -> str:
    name = report.metrics[output]
    results = (run.outputs.get(output) for _, _, run in all_runs(report))
    return next(
        (found.metrics[name].title for found in results if found and name in found.metrics), name
    )


def _metrics(report: ComparisonReport, outputs: Sequence[str], run: StageRun) -> list[str]:
    cells: list[str] = []
    for output in outputs:
        result = run.outputs.get(output)
        metric = result.metrics.get(report.metrics.get(output, "")) if result else None
        if output not in report.metrics:
            distance = result.distance if result else None
            cells.append(amounts.decibels(distance.sqnr_db if distance else None))
        elif metric is None:
            cells += ["failed" if run.failure else NONE, NONE]
        else:
            cells += [amounts.value(metric), amounts.loss(metric)]
        if _has_p(report, output):
            cells.append(amounts.p_value(metric) if metric else NONE)
    return cells


def _boards(stages: Sequence[Stage]) -> list[str]:
    """Name the targets whose memory is computed: microcontrollers."""
    found = (stage.validation.targets for stage in stages if stage.validation)
    return list(
        dict.fromkeys(
            name for targets in found for name, each in targets.items() if each.target.kernels
        )
    )


def _memory(stage: Stage, boards: Sequence[str]) -> list[str]:
    targets = stage.validation.targets if stage.validation else {}
    told = [targets.get(name) for name in boards]
    return [
        *(amounts.bytes_of(each.flash_bytes if each else None) for each in told),
        *(
            amounts.bytes_of(each.footprint.arena.least if each and each.footprint else None)
            for each in told
        ),
    ]


def _latency(stage: Stage, runtime: str) -> list[str]:
    """Tell the times of a model on an interpreter; the float model's is its .tflite on LiteRT's."""
    timed = _TIMES_FLOAT if stage.role == FLOAT else runtime
    run = stage.validation.runtimes.get(timed) if stage.validation else None
    if run is None or run.latency is None:
        return [NONE, NONE]
    ratio = run.latency_ratio
    return [milliseconds(run.latency.median_ms), NONE if ratio is None else f"{ratio:.2f}"]


def _c_array(stage: Stage, told: Sequence[str], unknown: Sequence[str]) -> list[Row]:
    """Tell whether the C array holds the bytes of the file.

    Then it is worth and costs what is ``told`` of the file on the interpreter that runs the array.
    """
    origin = stage.origin
    if origin is None or origin.c_array is None:
        return []
    same = origin.is_same_as_c
    said = {
        True: f"same bytes as {stage.file}, on {_RUNS_C}",
        False: f"OTHER BYTES than {stage.file}",
        None: f"not compared with {stage.file}",
    }[same]
    cells = [f"{stage.name}, C array", said, *(told if same else unknown)]
    return [toned(cells, Tone.BAD if same is False else Tone.PLAIN)]
