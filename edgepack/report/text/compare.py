"""The report of a comparison as plain text: a table for each output, facts, notes and verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from edgepack.core.findings import Finding
from edgepack.core.printable import printable
from edgepack.core.wording import brief
from edgepack.evaluation.results import ClassResult, Distance, MetricResult
from edgepack.report.data.compare import PRUNED, CompareReport, Stage
from edgepack.report.data.stage_runs import (
    StageOutput,
    all_runs,
    output_names,
    recall_lost,
    stage_outputs,
    verdict_metric,
    worst_runs,
)
from edgepack.report.data.target import FAILED, NOT_SHOWN
from edgepack.report.format import amounts
from edgepack.report.format.amounts import format_four_decimals
from edgepack.report.format.text_table import (
    NONE,
    WIDTH,
    cut_middle,
    note_paragraphs,
    text_table,
)
from edgepack.report.sections.disagreements import class_and_score
from edgepack.report.sections.folds import folds_sentence
from edgepack.report.sections.notes import warnings_among
from edgepack.report.sections.verdict import kept_budgets, loss_sentences

_NAME = 16
_MIN_NAME = 11  # interpreter
_TITLE = 34  # partial AUC of anomalies (to 0.1)
_LABEL = 24
_CLASSES = 3
_SAMPLES = 3
_GAP = 2
_FAILED = "did not run"
_KL = "KL divergence of the scores of the sample from float's, in nats"
_SQUARED = "mean squared error of the sample's outputs against float's"


def render_comparison(report: CompareReport) -> str:
    """Return the report as plain text, at most ``WIDTH`` wide; the verdict is the last line."""
    parts = [
        *(_output_text(report, name) for name in output_names(report)),
        "\n".join(_facts(report)),
        note_paragraphs(report.notes, _hanging),
        "\n".join(_verdict(report)),
    ]
    return "\n\n".join(part for part in parts if part)


def _output_text(report: CompareReport, output: str) -> str:
    """Return an output's verdict metric, other metrics, and worst classes and samples."""
    title = f"output {_name(output, WIDTH - 7)}" if len(output_names(report)) > 1 else ""
    parts = [
        "\n".join(filter(None, [title, text_table(list(_verdict_rows(report, output)))])),
        *_other_metrics(report, output),
        _worst_classes(report, output),
        _worst_samples(report, output),
    ]
    return "\n\n".join(part for part in parts if part)


def _verdict_rows(report: CompareReport, output: str) -> Iterator[list[str]]:
    """Return rows of the verdict metric, or of the distances from float where it has no value."""
    runs = stage_outputs(report, output)
    metrics = [verdict_metric(report, output, each.output) for each in runs]
    known = next((metric for metric in metrics if _has_value(metric)), None)
    if known is None:
        rows = [[*_DISTANCES], *(_distance_cells(each.output.distance) for each in runs)]
    else:
        rows = [[f"{_name(known.title, _TITLE)} (95% CI)", "lost (95% CI)", "p"]]
        rows += [_loss_cells(metric) if metric else [NONE] * 3 for metric in metrics]
    rows = _without_empty_columns(rows)
    used = sum(max(map(len, column)) + _GAP for column in zip(*rows, strict=True))
    room = max((WIDTH - used - _GAP) // 2, _MIN_NAME)
    yield ["model", "interpreter", *rows[0]]
    known_rows = {
        (each.stage.name, each.runtime): row for each, row in zip(runs, rows[1:], strict=True)
    }
    failed = [_FAILED, *[NONE] * len(rows[0])][: len(rows[0])]
    for stage, runtime, _ in all_runs(report):
        row = known_rows.get((stage.name, runtime), failed)
        yield [_name(stage.name, room), _name(runtime, room), *row]


def _has_value(metric: MetricResult | None) -> bool:
    return metric is not None and metric.value is not None


def _loss_cells(metric: MetricResult) -> list[str]:
    return [
        amounts.format_metric(metric),
        amounts.format_loss(metric),
        amounts.format_p_value(metric),
    ]


_DISTANCES = ("agreement", "KL, nats", "SQNR", "max error")


def _distance_cells(distance: Distance | None) -> list[str]:
    if distance is None:
        return [NONE] * len(_DISTANCES)
    return [
        amounts.format_percent(distance.agreement),
        amounts.format_three_digits(distance.kl_divergence),
        amounts.format_decibels(distance.sqnr_db),
        amounts.format_three_digits(distance.max_abs_error),
    ]


def _other_metrics(report: CompareReport, output: str) -> Iterator[str]:
    """Return tables of the other metrics, one column per model, as many as fit in the width."""
    runs = worst_runs(report, output)
    verdict_name = report.metrics.get(output)
    is_measured = any(_has_value(verdict_metric(report, output, each.output)) for each in runs)
    distances = _DISTANCES if is_measured else ()  # otherwise they are in the table above
    titles = {
        name: _name(metric.title, _LABEL)
        for each in runs
        for name, metric in each.output.metrics.items()
        if name != verdict_name
    }
    rows = [["", *titles.values(), *distances]]
    if len(rows[0]) == 1:
        return
    rows += [
        [
            _name(each.stage.name, _LABEL),
            *(_metric_cell(each, name) for name in titles),
            *(_distance_cells(each.output.distance) if distances else ()),
        ]
        for each in runs
    ]
    names, *columns = (
        [row[0], runtime, *row[1:]]
        for row, runtime in zip(
            _without_empty_columns(rows),
            ["on", *(_name(each.runtime, _LABEL) for each in runs)],
            strict=True,
        )
    )
    columns = [column for column in columns if any(cell != NONE for cell in column[2:])]
    for group in _grouped(columns, WIDTH - max(map(len, names))):
        yield text_table(list(map(list, zip(names, *group, strict=True))), left=1)


def _without_empty_columns(rows: Sequence[list[str]]) -> list[list[str]]:
    """Return rows, the first being the heading, without columns that have no value."""
    kept = [
        place
        for place, column in enumerate(zip(*rows, strict=True))
        if any(cell != NONE for cell in column[1:])
    ]
    return [[row[place] for place in kept] for row in rows]


def _grouped(columns: Sequence[list[str]], width: int) -> Iterator[list[list[str]]]:
    """Return columns in groups, each no wider than ``width`` unless it is a single column."""
    group: list[list[str]] = []
    left = width
    for column in columns:
        needed = max(map(len, column)) + _GAP
        if group and needed > left:
            yield group
            group, left = [], width
        group.append(column)
        left -= needed
    if group:
        yield group


def _metric_cell(each: StageOutput, name: str) -> str:
    metric = each.output.metrics.get(name)
    return amounts.format_metric(metric, interval=False) if metric else NONE


def _worst_classes(report: CompareReport, output: str) -> str:
    """Return the classes that lost most recall, on the worst interpreter of each model."""
    runs = [each for each in worst_runs(report, output) if each.output.classes]
    if len(runs) < 2 or not runs[0].is_float:  # noqa: PLR2004 (float and another)
        return ""
    of_float = runs[0].output.classes
    rows = [["class", "model", "samples", "recall", "float", "lost"]]
    for each in runs[1:]:
        lost = sorted(
            zip(of_float, each.output.classes, strict=True),
            key=lambda pair: -recall_lost(*pair),
        )
        rows += [_class_row(each, *pair) for pair in lost[:_CLASSES] if recall_lost(*pair) > 0]
    return text_table(rows) if len(rows) > 1 else ""


def _class_row(each: StageOutput, of_float: ClassResult, other: ClassResult) -> list[str]:
    return [
        _name(other.name, _LABEL),
        _name(each.stage.name, _LABEL),
        f"{other.samples:,}",
        format_four_decimals(other.recall),
        format_four_decimals(of_float.recall),
        f"{100 * recall_lost(of_float, other):.2f} points",
    ]


def _worst_samples(report: CompareReport, output: str) -> str:
    """Return the samples on which models differ from float, or else that they do not."""
    rows = [["sample", "model", "label", "float output", "model output", "distance"]]
    runs = [each for each in worst_runs(report, output) if not each.is_float]
    for each in runs:
        for sample in each.differing[:_SAMPLES]:
            outputs = [class_and_score(each) or NONE for each in (sample.of_float, sample.of_other)]
            rows.append(
                [
                    f"{sample.index:,}",
                    _name(each.stage.name, _NAME),
                    _name(sample.wanted or NONE, _NAME),
                    *(_name(text, _LABEL - 4) for text in outputs),
                    amounts.format_three_digits(sample.distance),
                ]
            )
    agreeing = [_hanging("", each.agreement_in_words) for each in runs if each.agrees]
    if len(rows) == 1:
        return "\n".join(agreeing)
    rows = _without_empty_columns(rows)
    has_classes = any(each.has_classes for each in runs)
    legend = _hanging("distance  ", _KL if has_classes else _SQUARED)
    return "\n".join([text_table(rows, left=len(rows[0]) - 1), *agreeing, "", legend])


def _format(stage: Stage) -> str:
    """Say which file the bytes of a stage are of, if not simply of a .tflite file given."""
    if stage.is_converted:
        return " as a .tflite file"
    return "" if stage.file.endswith(".tflite") else f" as {_name(stage.file, _NAME)}"


def _facts(report: CompareReport) -> Iterator[str]:
    sizes = [
        f"{_name(stage.name, _LABEL)} {amounts.format_bytes(stage.artifact.bytes)}" + _format(stage)
        for stage in report.stages
        if stage.artifact
    ]
    if sizes:
        yield _hanging("size      ", ", ".join(sizes))
    for stage in report.stages:
        yield from _stage_facts(stage)
    if report.folds:
        yield _hanging("folds     ", folds_sentence(report.folds))
        yield _hanging("          ", report.folds.settings)


def _stage_facts(stage: Stage) -> Iterator[str]:
    if stage.sparsity and stage.role == PRUNED:
        yield f"zeros     {stage.sparsity.overall:.1%} of the weights of {_name(stage.name, _NAME)}"
    if stage.origin and stage.origin.is_same_as_c is False:
        yield _hanging("C array   ", f"{stage.name}: NOT THE SAME BYTES as the file")


def _verdict(report: CompareReport) -> Iterator[str]:
    losses = loss_sentences(report)
    if not losses and not report.findings:
        yield "nothing was compared"
    yield from (_hanging("", sentence) for sentence in losses)
    yield from (_hanging("", brief(warning)) for warning in warnings_among(report.notes))
    for finding in sorted(report.findings, key=_gravity):
        yield _hanging(f"{_severity(finding)}: ", str(finding))
    yield from (_hanging("PASSED: ", kept) for kept in kept_budgets(report))


def _gravity(finding: Finding) -> int:
    """Return a key that sorts notes first and failures last, where the verdict stands."""
    return 2 if finding.is_failure else 1 if finding.is_undecided else 0


def _severity(finding: Finding) -> str:
    if finding.is_note:
        return "note"
    return (NOT_SHOWN if finding.is_undecided else FAILED).upper()


def _hanging(word: str, text: str) -> str:
    """Return a word and a text with a hanging indent; names that are too long are broken."""
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=word,
        subsequent_indent=" " * len(word),
        break_on_hyphens=False,
    )


def _name(text: str, width: int) -> str:
    return cut_middle(printable(text), width)
