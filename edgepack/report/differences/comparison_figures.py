"""The figures of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgepack.report.data.comparison import FLOAT, QUANTIZED
from edgepack.report.differences.common_figures import (
    file,
    footprint_figures,
    judged,
    on_host,
    run,
    went_in,
    word_figure,
)
from edgepack.report.differences.figure_kinds import (
    AGREEMENT,
    ANOTHER,
    CONTENT,
    COUNT,
    DIVERGENCE,
    IDENTICAL,
    MAX_ERROR,
    SETTING,
    SQNR,
    VALUE,
    VERDICT,
    ZEROS,
    Figure,
    FigureKind,
    kind_of,
    lost_in,
    metric_figure,
    other_figure,
    verdict_figure,
)
from edgepack.report.differences.read_report import Node


@dataclass(frozen=True)
class StageNames:
    """What is told apart by its name in reports that have several: outputs, and models."""

    outputs: bool
    models: bool


def names_needed(report: Node) -> StageNames:
    """Tell what a comparison has several of."""
    runs = [each for stage in _stages(report) for each in stage["runs"].children().values()]
    quantized = [stage for stage in _stages(report) if stage["role"].text() == QUANTIZED]
    return StageNames(
        outputs=any(len(each["outputs"].children()) > 1 for each in runs), models=len(quantized) > 1
    )


def comparison_figures(report: Node, names: StageNames) -> Iterator[Figure]:
    """Take the figures out of the report of a comparison."""
    yield verdict_figure("verdict", VERDICT, word_figure(report))
    for stage in _stages(report):
        yield from _stage(stage, report["metrics"], names)
    yield from _folds(report)
    yield other_figure("float model run by", SETTING, report["float_runtime"].text())
    yield other_figure("samples compared", COUNT, report["samples"].number())
    yield other_figure("most that may be lost", VALUE, report["max_drop"].number())
    yield from went_in(report["inputs"])


def _stages(report: Node) -> list[Node]:
    return report["stages"].entries() or []


def _stage(stage: Node, asked: Node, names: StageNames) -> Iterator[Figure]:
    """Tell of a model; ``asked`` has the metric that each output is judged by."""
    name, role = stage["name"].text() or "", stage["role"].text() or ""
    called = f"{name} model" if names.models and role != FLOAT else f"{role} model"
    start = f"{name}: " if names.models or role != QUANTIZED else ""
    for runtime, made in stage["runs"].children().items():
        who = role if role == FLOAT else f"{start}{runtime}"
        yield run(who, made)
        yield other_figure(f"{runtime}: version", SETTING, made["version"].text())
        for output, result in made["outputs"].children().items():
            yield from _output(f"{output}: {who}" if names.outputs else who, result, asked[output])
    yield from file(called, stage["artifact"])
    yield other_figure(f"zeros in the {called}", ZEROS, stage["sparsity"]["overall"].number())
    yield from _validation(start, stage["validation"], names, is_judged=role != FLOAT)
    recipe, is_same = stage["origin"]["recipe"], stage["origin"]["is_same_as_c"].flag()
    told = None if is_same is None else IDENTICAL if is_same else ANOTHER
    yield verdict_figure(f"{start}C array", CONTENT, told)
    yield other_figure(f"{start}scheme", SETTING, recipe["quantization"]["scheme"].text())
    yield other_figure(f"{start}observer", SETTING, recipe["observer"].text())


def _output(who: str, result: Node, asked: Node) -> Iterator[Figure]:
    """Tell how good an output is, and what is lost of the metric that was asked for."""
    for name, measured in result["metrics"].children().items():
        unit = measured["unit"].text()
        kind = kind_of(unit, is_more_better=measured["is_more_better"].flag())
        yield metric_figure(f"{who}: {name}", kind, measured["value"])
        if name == asked.text():
            yield metric_figure(f"{who}: lost {name}", lost_in(unit), measured["change"]["loss"])
    for label, kind, key in _DISTANCES:
        yield metric_figure(f"{who}: {label}", kind, result["distance"][key])


_DISTANCES: tuple[tuple[str, FigureKind, str], ...] = (
    ("agreement", AGREEMENT, "agreement"),
    ("KL divergence", DIVERGENCE, "kl_divergence"),
    ("SQNR", SQNR, "sqnr_db"),
    ("max error", MAX_ERROR, "max_abs_error"),
)


def _validation(start: str, found: Node, names: StageNames, *, is_judged: bool) -> Iterator[Figure]:
    """Tell what targets say of a model, if that matters, and how interpreters ran it here."""
    for name, target in found["targets"].children().items():
        if is_judged:
            yield from judged(f"{start}{name}: ", target)
            yield from footprint_figures(f"{start}{name}: ", target)
    for name, runtime in found["runtimes"].children().items():
        yield from on_host(start, name, runtime, is_named=names.outputs)


def _folds(report: Node) -> Iterator[Figure]:
    folds = report["folds"]
    name = folds["metric"].text()
    if name is None:
        return
    unit, is_more_better = _unit(report, name)
    kind = kind_of(unit, is_more_better=is_more_better)
    yield metric_figure(f"folds: mean {name}", kind, folds["mean"])
    yield metric_figure(f"folds: mean lost {name}", lost_in(unit), folds["mean_loss"])
    yield other_figure(f"folds: deviation of {name}", VALUE, folds["deviation"].number())
    yield other_figure("folds", COUNT, len(folds["folds"].entries() or ()))
    yield other_figure("folds: settings", SETTING, folds["settings"].text())


def _unit(report: Node, name: str) -> tuple[str | None, bool | None]:
    """Find the unit of a metric, and whether more of it is better, where it was measured."""
    for stage in _stages(report):
        for made in stage["runs"].children().values():
            for result in made["outputs"].children().values():
                if name in (measured := result["metrics"].children()):
                    its = measured[name]
                    return its["unit"].text(), its["is_more_better"].flag()
    return None, None
