"""The section with a row for each model on each interpreter: its quality and its cost."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.core.wording import counted
from edgepack.evaluation.bootstrap import RESAMPLES, TABLES
from edgepack.evaluation.lost_channels import worst_channels
from edgepack.evaluation.scores import Comparison
from edgepack.report.data.compare import FLOAT, CompareReport, Stage, StageRun
from edgepack.report.data.compression import StepReport
from edgepack.report.data.stage_runs import all_runs, output_names, stage_outputs, verdict_metric
from edgepack.report.document.block_shortcuts import (
    number_column,
    table_block,
    text_column,
    toned_row,
)
from edgepack.report.document.blocks import Block, Column, Row, Section, Text, Tone
from edgepack.report.format import amounts
from edgepack.report.format.amounts import (
    format_four_decimals,
    format_milliseconds,
    interpreter_label,
    score_cells,
)
from edgepack.report.format.channel_words import worst_channels_of
from edgepack.report.format.text_table import NONE
from edgepack.runtimes import LITERT, TFLM

_LEAD = "Quality and cost of each model: flash and arena on the device, latency on this machine."

_C_ARRAY_RUNTIME = TFLM.name
_FLOAT_LATENCY_RUNTIME = LITERT.name

_P = (
    "McNemar's test: the probability of a change at least this uneven by chance alone; a small one"
    " suggests that the change is real"
)


def models_section(report: CompareReport) -> Section | None:
    """Return the table of a comparison, with rows for C arrays."""
    if not report.stages:
        return None
    outputs, boards = output_names(report), _boards(report.stages)
    columns = [text_column("model"), text_column("interpreter"), *_metric_columns(report, outputs)]
    columns.append(number_column("file", "bytes of the .tflite file"))
    columns += _memory_columns(boards)
    columns += [
        number_column(
            "latency",
            "median time of one inference on this machine, not on a device; the float model's is"
            " that of its .tflite file on LiteRT",
        ),
        number_column(
            "of float", "latency divided by that of the float .tflite file on the same interpreter"
        ),
    ]
    rows: list[Row] = []
    for stage in report.stages:
        size = amounts.format_bytes(stage.artifact.bytes if stage.artifact else None)
        rest = [size, *_memory(stage, boards)]
        cells_of = {
            runtime: [*_metrics(report, outputs, run), *rest, *_latency(stage, runtime)]
            for runtime, run in stage.runs.items()
        }
        rows += [
            toned_row([stage.name, runtime, *cells], Tone.BAD if run.failure else Tone.PLAIN)
            for (runtime, cells), run in zip(cells_of.items(), stage.runs.values(), strict=True)
        ]
        unknown = [NONE] * (len(columns) - 2)
        rows += _c_array(stage, cells_of.get(_C_ARRAY_RUNTIME, unknown), unknown)
    return Section(
        id="ledger",
        title="From float to C",
        lead=_LEAD,
        blocks=(table_block("Each model on each interpreter", columns, rows),),
    )


def scores_section(
    comparison: Comparison, float_runtime: str, compression: Sequence[StepReport] = ()
) -> Section:
    """Return the table of an export or a validation, which have no intervals."""
    blocks: list[Block] = [
        table_block(
            f"Each model on each interpreter, output {name}",
            [
                text_column("model"),
                text_column("interpreter"),
                *(
                    number_column(title)
                    for title in (output.metric or "metric", "agreement", "SQNR", "max error")
                ),
            ],
            [
                ["float", float_runtime, format_four_decimals(output.float_value), *[NONE] * 3],
                *(
                    [step.stage, step.record.runtime, *score_cells(step.outputs.get(name))]
                    for step in compression
                ),
                *(
                    [comparison.scheme, interpreter_label(output, runtime), *score_cells(score)]
                    for runtime, score in output.quantized.items()
                ),
            ],
        )
        for name, output in comparison.outputs.items()
    ]
    blocks += [
        Text(text=f"W{worst_channels_of(name, worst)[1:]}", tone=Tone.BAD)
        for name, output in comparison.outputs.items()
        if (worst := worst_channels(output.channels.values()))
    ]
    return Section(
        id="ledger",
        title="Float against quantized",
        lead=f"On {counted(comparison.samples, 'sample')} of the {comparison.data} data.",
        blocks=tuple(blocks),
    )


def _metric_columns(report: CompareReport, outputs: Sequence[str]) -> list[Column]:
    columns = []
    for output in outputs:
        of = f" of {output}" if len(outputs) > 1 else ""
        if output in report.metrics:
            columns += [
                number_column(f"{_title(report, output)}{of}", _metric_hint(report, output)),
                number_column(f"lost{of}", _loss_hint(report, output)),
            ]
            if _has_p(report, output):
                columns.append(number_column(f"p{of}", _P))
        else:
            columns.append(
                number_column(f"SQNR{of}", "power of the float outputs over that of the error")
            )
    return columns


def _memory_columns(boards: Sequence[str]) -> list[Column]:
    """Return columns for flash and arena, named by device if there are several."""
    of = {name: f" on {name}" if len(boards) > 1 else "" for name in boards}
    flash = "computed for {}: the model and the runtime"
    arena = "computed for {}: the smallest arena in which the interpreter starts"
    return [
        *(number_column(f"flash{of[name]}", flash.format(name)) for name in boards),
        *(number_column(f"arena{of[name]}", arena.format(name)) for name in boards),
    ]


def _metric_hint(report: CompareReport, output: str) -> str:
    """Return the method of a metric's interval: Wilson's for an accuracy, else bootstrap."""
    if _has_p(report, output):
        return "with its 95% interval (Wilson)"
    return f"with its 95% interval (bootstrap, {RESAMPLES:,} resamples, seeded)"


def _loss_hint(report: CompareReport, output: str) -> str:
    if _has_p(report, output):
        method = f"Bonett and Price, {TABLES:,} draws, seeded"
    else:
        method = f"bootstrap, {RESAMPLES:,} resamples, seeded, the same for both models"
    return f"against float; negative for a gain; with its 95% interval ({method})"


def _has_p(report: CompareReport, output: str) -> bool:
    """Whether McNemar's test applies to the metric."""
    metrics = (
        verdict_metric(report, output, each.output) for each in stage_outputs(report, output)
    )
    return any(metric and metric.change and metric.change.p_value is not None for metric in metrics)


def _title(report: CompareReport, output: str) -> str:
    name = report.metrics[output]
    results = (run.outputs.get(output) for _, _, run in all_runs(report))
    return next(
        (result.metrics[name].title for result in results if result and name in result.metrics),
        name,
    )


def _metrics(report: CompareReport, outputs: Sequence[str], run: StageRun) -> list[str]:
    cells: list[str] = []
    for output in outputs:
        result = run.outputs.get(output)
        metric = result.metrics.get(report.metrics.get(output, "")) if result else None
        if output not in report.metrics:
            distance = result.distance if result else None
            cells.append(amounts.format_decibels(distance.sqnr_db if distance else None))
        elif metric is None:
            cells += ["failed" if run.failure else NONE, NONE]
        else:
            cells += [amounts.format_metric(metric), amounts.format_loss(metric)]
        if _has_p(report, output):
            cells.append(amounts.format_p_value(metric) if metric else NONE)
    return cells


def _boards(stages: Sequence[Stage]) -> list[str]:
    """Return the names of targets whose memory is computed: microcontrollers."""
    validated = (stage.validation.targets for stage in stages if stage.validation)
    return list(
        dict.fromkeys(
            name for targets in validated for name, each in targets.items() if each.target.kernels
        )
    )


def _memory(stage: Stage, boards: Sequence[str]) -> list[str]:
    targets = stage.validation.targets if stage.validation else {}
    reports = [targets.get(name) for name in boards]
    return [
        *(amounts.format_bytes(each.flash_bytes if each else None) for each in reports),
        *(amounts.format_bytes(each.arena_bytes if each else None) for each in reports),
    ]


def _latency(stage: Stage, runtime: str) -> list[str]:
    """Return latency and ratio; the float model's are those of its .tflite file on LiteRT."""
    timed = _FLOAT_LATENCY_RUNTIME if stage.role == FLOAT else runtime
    run = stage.validation.runtimes.get(timed) if stage.validation else None
    if run is None or run.latency is None:
        return [NONE, NONE]
    ratio = run.latency_ratio
    return [format_milliseconds(run.latency.median_ms), NONE if ratio is None else f"{ratio:.2f}"]


def _c_array(stage: Stage, of_file: Sequence[str], unknown: Sequence[str]) -> list[Row]:
    """Return the row of the C array, if there is one.

    If it holds the bytes of the file, its cells are ``of_file``: those of the file on the
    interpreter that runs the array; otherwise they are ``unknown``.
    """
    origin = stage.origin
    if origin is None or origin.c_array is None:
        return []
    is_same = origin.is_same_as_c
    content = {
        True: f"same bytes as {stage.file}, on {_C_ARRAY_RUNTIME}",
        False: f"NOT THE SAME BYTES as {stage.file}",
        None: f"not compared with {stage.file}",
    }[is_same]
    cells = [f"{stage.name}, C array", content, *(of_file if is_same else unknown)]
    return [toned_row(cells, Tone.BAD if is_same is False else Tone.PLAIN)]
