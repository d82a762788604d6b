"""A comparison as a person reads it in the terminal: a table for each output, then what matters."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from edgepack.core.printable import printable
from edgepack.evaluation.results import ClassResult, Distance, MetricResult
from edgepack.report.data.comparison import PRUNED, ComparisonReport, Stage
from edgepack.report.data.stage_runs import (
    StageOutput,
    all_runs,
    output_names,
    recall_lost,
    stage_outputs,
    verdict_metric,
    worst_runs,
)
from edgepack.report.format import amounts
from edgepack.report.format.amounts import number
from edgepack.report.format.text_table import NONE, WIDTH, cut_middle, table
from edgepack.report.sections.disagreements import said
from edgepack.report.sections.folds import folds_sentence
from edgepack.report.sections.verdict import verdict_sentences

_NAME = 16
_LEAST_NAME = 11  # interpreter
_TITLE = 34  # partial AUC of anomalies (to 0.1)
_LABEL = 24
_CLASSES = 3
_SAMPLES = 3
_GAP = 2
_FAILED = "did not run"


def render_comparison(report: ComparisonReport) -> str:
    """Write a report in plain text; what was found is the last line."""
    parts = [
        *(_output(report, name) for name in output_names(report)),
        "\n".join(_facts(report)),
        "\n".join(_hang("note: ", note) for note in report.notes),
        "\n".join(_verdict(report)),
    ]
    return "\n\n".join(part for part in parts if part)


def _output(report: ComparisonReport, output: str) -> str:
    """Tell of an output: what was asked for, all metrics, the classes and samples that suffer."""
    title = f"output {_name(output, WIDTH - 7)}" if len(output_names(report)) > 1 else ""
    parts = [
        "\n".join(filter(None, [title, table(list(_asked(report, output)))])),
        *_others(report, output),
        _classes(report, output),
        _worst(report, output),
    ]
    return "\n\n".join(part for part in parts if part)


def _asked(report: ComparisonReport, output: str) -> Iterator[list[str]]:
    """Tell the metric that the verdict is about; without one how far outputs are from float."""
    runs = stage_outputs(report, output)
    metrics = [verdict_metric(report, output, each.output) for each in runs]
    known = next((metric for metric in metrics if _is_told(metric)), None)
    if known is None:
        rows = [[*_DISTANCES], *(_distances(each.output.distance) for each in runs)]
    else:
        rows = [[f"{_name(known.title, _TITLE)} (95 %)", "lost (95 %)", "p"]]
        rows += [_losses(metric) if metric else [NONE] * 3 for metric in metrics]
    rows = _known(rows)
    taken = sum(max(map(len, column)) + _GAP for column in zip(*rows, strict=True))
    room = max((WIDTH - taken - _GAP) // 2, _LEAST_NAME)
    yield ["model", "interpreter", *rows[0]]
    told = {(each.stage.name, each.runtime): row for each, row in zip(runs, rows[1:], strict=True)}
    failed = [_FAILED, *[NONE] * len(rows[0])][: len(rows[0])]
    for stage, runtime, _ in all_runs(report):
        row = told.get((stage.name, runtime), failed)
        yield [_name(stage.name, room), _name(runtime, room), *row]


def _is_told(metric: MetricResult | None) -> bool:
    return metric is not None and metric.value is not None


def _losses(metric: MetricResult) -> list[str]:
    return [amounts.value(metric), amounts.loss(metric), amounts.p_value(metric)]


_DISTANCES = ("agreement", "KL, nats", "SQNR", "max error")


def _distances(found: Distance | None) -> list[str]:
    if found is None:
        return [NONE] * len(_DISTANCES)
    return [
        amounts.fraction(found.agreement),
        amounts.plain(found.kl_divergence),
        amounts.decibels(found.sqnr_db),
        amounts.plain(found.max_abs_error),
    ]


def _others(report: ComparisonReport, output: str) -> Iterator[str]:
    """Tell the other metrics, a column a model, as many side by side as fit."""
    runs = worst_runs(report, output)
    first = report.metrics.get(output)
    is_measured = any(_is_told(verdict_metric(report, output, each.output)) for each in runs)
    distances = _DISTANCES if is_measured else ()  # or else they stand above
    titles = {
        name: _name(metric.title, _LABEL)
        for each in runs
        for name, metric in each.output.metrics.items()
        if name != first
    }
    rows = [["", *titles.values(), *distances]]
    if len(rows[0]) == 1:
        return
    rows += [
        [
            _name(each.stage.name, _LABEL),
            *(_value(each, name) for name in titles),
            *(_distances(each.output.distance) if distances else ()),
        ]
        for each in runs
    ]
    names, *columns = (
        [row[0], runtime, *row[1:]]
        for row, runtime in zip(
            _known(rows), ["on", *(_name(each.runtime, _LABEL) for each in runs)], strict=True
        )
    )
    columns = [column for column in columns if any(cell != NONE for cell in column[2:])]
    for some in _fitting(columns, WIDTH - max(map(len, names))):
        yield table(list(map(list, zip(names, *some, strict=True))), left=1)


def _known(rows: Sequence[list[str]]) -> list[list[str]]:
    """Leave out the columns, headed by their names, of which nothing is known."""
    kept = [
        place
        for place, column in enumerate(zip(*rows, strict=True))
        if any(cell != NONE for cell in column[1:])
    ]
    return [[row[place] for place in kept] for row in rows]


def _fitting(columns: Sequence[list[str]], width: int) -> Iterator[list[list[str]]]:
    some: list[list[str]] = []
    left = width
    for column in columns:
        wide = max(map(len, column)) + _GAP
        if some and wide > left:
            yield some
            some, left = [], width
        some.append(column)
        left -= wide
    if some:
        yield some


def _value(each: StageOutput, name: str) -> str:
    metric = each.output.metrics.get(name)
    return amounts.value(metric, interval=False) if metric else NONE


def _classes(report: ComparisonReport, output: str) -> str:
    """Tell the classes that lost most of their recall, on the worst interpreter of each model."""
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
    return table(rows) if len(rows) > 1 else ""


def _class_row(each: StageOutput, of_float: ClassResult, found: ClassResult) -> list[str]:
    return [
        _name(found.name, _LABEL),
        _name(each.stage.name, _LABEL),
        f"{found.samples:,}",
        number(found.recall),
        number(of_float.recall),
        f"{100 * recall_lost(of_float, found):.2f} points",
    ]


def _worst(report: ComparisonReport, output: str) -> str:
    """Tell the samples that float and the others tell apart most."""
    rows = [["sample", "model", "label", "float says", "it says", "distance"]]
    for each in worst_runs(report, output):
        for sample in each.output.worst[:_SAMPLES]:
            shown = [said(of) or NONE for of in (sample.of_float, sample.of_other)]
            rows.append(
                [
                    f"{sample.index:,}",
                    _name(each.stage.name, _NAME),
                    _name(sample.wanted or NONE, _NAME),
                    *(_name(told, _LABEL - 4) for told in shown),
                    amounts.plain(sample.distance),
                ]
            )
    return table(_known(rows), left=len(_known(rows)[0]) - 1) if len(rows) > 1 else ""


def _facts(report: ComparisonReport) -> Iterator[str]:
    sizes = [
        f"{_name(stage.name, _LABEL)} {amounts.bytes_of(stage.artifact.bytes)}"
        + ("" if stage.file.endswith(".tflite") else f" as {_name(stage.file, _NAME)}")
        for stage in report.stages
        if stage.artifact
    ]
    if sizes:
        yield _hang("size      ", ", ".join(sizes))
    for stage in report.stages:
        yield from _of_stage(stage)
    if report.folds:
        yield _hang("folds     ", folds_sentence(report.folds))
        yield _hang("          ", report.folds.settings)


def _of_stage(stage: Stage) -> Iterator[str]:
    if stage.sparsity and stage.role == PRUNED:
        yield f"zeros     {stage.sparsity.overall:.1%} of the weights of {_name(stage.name, _NAME)}"
    if stage.origin and stage.origin.is_same_as_c is not None:
        told = "the same bytes" if stage.origin.is_same_as_c else "OTHER BYTES"
        yield _hang("C array   ", f"{stage.name}: {told} as the file")


def _verdict(report: ComparisonReport) -> Iterator[str]:
    word = {True: "PASSED: ", False: "FAILED: ", None: ""}[report.passed]
    sentences = verdict_sentences(report) or ("nothing was compared",)
    for sentence in sentences:
        yield _hang(word if sentence is sentences[-1] else "", sentence)


def _hang(word: str, text: str) -> str:
    """Write a word and what it says within the width, whatever names are in it."""
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=word,
        subsequent_indent=" " * len(word),
        break_on_hyphens=False,
    )


def _name(text: str, width: int) -> str:
    return cut_middle(printable(text), width)
