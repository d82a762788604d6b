"""The ledger: what a model is, and what it costs, from float to the C array."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.evaluation.score import Comparison, OutputComparison, Score
from edgepack.report import amounts
from edgepack.report.comparison import ComparisonReport, Stage, StageRun
from edgepack.report.page.document import Column, Row, Section, Tone
from edgepack.report.runs import all_runs, output_names
from edgepack.report.sections.parts import figures, table, toned, words
from edgepack.report.table import NONE, milliseconds, number

_LEAD = (
    "From float to the array in the firmware. Intervals are at 95 %. Flash is that of the model and"
    " the runtime, the arena what the model takes of RAM; both are computed for the device."
    " Latency is this machine's, not a device's."
)


def ledger(report: ComparisonReport) -> Section | None:
    """Give a row to each model on each interpreter, and to the C array."""
    if not report.stages:
        return None
    outputs, boards = output_names(report), _boards(report.stages)
    columns = [words("model"), words("interpreter"), *_metric_columns(report, outputs)]
    columns.append(figures("file", "bytes of the .tflite file"))
    columns += [figures(f"flash on {name}", "bytes, model and runtime") for name in boards]
    columns += [figures(f"arena on {name}", "bytes, the least it can start in") for name in boards]
    columns += [figures("latency", "median of one inference here"), figures("of float")]
    rows: list[Row] = []
    for stage in report.stages:
        size = amounts.bytes_of(stage.artifact.bytes if stage.artifact else None)
        rest = [size, *_memory(stage, boards)]
        for runtime, run in stage.runs.items():
            cells = [stage.name, runtime, *_metrics(report, outputs, run), *rest]
            rows.append(
                toned([*cells, *_latency(stage, runtime)], Tone.BAD if run.failure else Tone.PLAIN)
            )
        rows += _c_array(stage, len(columns))
    return Section(
        id="ledger",
        title="From float to C",
        lead=_LEAD,
        blocks=(table("Each model on each interpreter", columns, rows),),
    )


def score_ledger(comparison: Comparison, float_runtime: str) -> Section:
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
            _score_rows(output, comparison.scheme, float_runtime),
        )
        for name, output in comparison.outputs.items()
    ]
    return Section(
        id="ledger",
        title="Float against quantized",
        lead=f"On {amounts.samples(comparison.samples)} of the {comparison.data} data.",
        blocks=tuple(blocks),
    )


def _score_rows(output: OutputComparison, scheme: str, float_runtime: str) -> list[list[str]]:
    rows = [["float", float_runtime, number(output.float_value), *[NONE] * 3]]
    if output.pruned:
        rows.append(["pruned", float_runtime, *_score(output.pruned)])
    rows += [[scheme, name, *_score(score)] for name, score in output.quantized.items()]
    return rows


def _score(score: Score) -> list[str]:
    return [
        number(score.value),
        amounts.fraction(score.agreement),
        amounts.decibels(score.sqnr_db),
        amounts.plain(score.max_abs_error),
    ]


def _metric_columns(report: ComparisonReport, outputs: Sequence[str]) -> list[Column]:
    columns = []
    for output in outputs:
        of = f" of {output}" if len(outputs) > 1 else ""
        if output in report.metrics:
            columns += [
                figures(f"{_title(report, output)}{of}", "with its 95 % interval"),
                figures(f"lost{of}", "against float, with its 95 % interval"),
                figures(f"p{of}", "McNemar's: how likely so much is by chance"),
            ]
        else:
            columns.append(figures(f"SQNR{of}", "signal to quantization noise"))
    return columns


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
            cells += ["failed" if run.failure else NONE, NONE, NONE]
        else:
            cells += [amounts.value(metric), amounts.loss(metric), amounts.p_value(metric)]
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
    run = stage.validation.runtimes.get(runtime) if stage.validation else None
    if run is None or run.latency is None:
        return [NONE, NONE]
    ratio = run.latency_ratio
    return [milliseconds(run.latency.median_ms), NONE if ratio is None else f"{ratio:.2f}"]


def _c_array(stage: Stage, width: int) -> list[Row]:
    """Tell whether the C array holds the bytes of the file: then it computes the same."""
    origin = stage.origin
    if origin is None or origin.c_array is None:
        return []
    same = origin.is_same_as_c
    said = {
        True: f"same bytes as {stage.file}",
        False: f"OTHER BYTES than {stage.file}",
        None: f"not compared with {stage.file}",
    }[same]
    cells = [f"{stage.name}, C array", said, *[NONE] * (width - 2)]
    return [toned(cells, Tone.BAD if same is False else Tone.PLAIN)]
