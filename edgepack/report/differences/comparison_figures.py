"""The figures of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgepack.report.data.compare import FLOAT, QUANTIZED
from edgepack.report.differences.common_figures import (
    file_figures,
    footprint_figures,
    host_figures,
    input_figures,
    run_figure,
    verdict_figures,
    verdict_word,
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
    loss_kind,
    metric_figure,
    metric_kind,
    other_figure,
    verdict_figure,
)
from edgepack.report.differences.read_report import Node


@dataclass(frozen=True)
class StageNames:
    """Whether figures include the names of outputs and of models, as there are several."""

    outputs: bool
    models: bool


def names_needed(report: Node) -> StageNames:
    """Return which names the figures of a comparison need."""
    runs = [each for stage in _stages(report) for each in stage["runs"].children().values()]
    quantized = [stage for stage in _stages(report) if stage["role"].text() == QUANTIZED]
    return StageNames(
        outputs=any(len(each["outputs"].children()) > 1 for each in runs), models=len(quantized) > 1
    )


def comparison_figures(report: Node, names: StageNames) -> Iterator[Figure]:
    """Return the figures of the report of a comparison."""
    yield verdict_figure("verdict", VERDICT, verdict_word(report))
    for stage in _stages(report):
        yield from _stage(stage, report["metrics"], names)
    yield from _folds(report)
    yield other_figure("float model run by", SETTING, report["float_runtime"].text())
    yield other_figure("samples compared", COUNT, report["samples"].number())
    yield other_figure("most that may be lost", VALUE, report["max_drop"].number())
    yield from input_figures(report["inputs"])


def _stages(report: Node) -> list[Node]:
    return report["stages"].entries() or []


def _stage(stage: Node, metrics: Node, names: StageNames) -> Iterator[Figure]:
    """Return the figures of a model; ``metrics`` has each output's metric of the verdict."""
    name, role = stage["name"].text() or "", stage["role"].text() or ""
    model = f"{name} model" if names.models and role != FLOAT else f"{role} model"
    start = f"{name}: " if names.models or role != QUANTIZED else ""
    for runtime, run in stage["runs"].children().items():
        label = role if role == FLOAT else f"{start}{runtime}"
        yield run_figure(label, run)
        yield other_figure(f"{runtime}: version", SETTING, run["version"].text())
        for output, result in run["outputs"].children().items():
            output_label = f"{output}: {label}" if names.outputs else label
            yield from _output(output_label, result, metrics[output])
    yield from file_figures(model, stage["artifact"])
    yield other_figure(f"zeros in the {model}", ZEROS, stage["sparsity"]["overall"].number())
    yield from _validation(start, stage["validation"], names, is_judged=role != FLOAT)
    recipe, is_same = stage["origin"]["recipe"], stage["origin"]["is_same_as_c"].flag()
    content = None if is_same is None else IDENTICAL if is_same else ANOTHER
    yield verdict_figure(f"{start}C array", CONTENT, content)
    yield other_figure(f"{start}scheme", SETTING, recipe["quantization"]["scheme"].text())
    yield other_figure(f"{start}observer", SETTING, recipe["observer"].text())


def _output(label: str, result: Node, verdict_metric: Node) -> Iterator[Figure]:
    """Return the metrics of an output, the loss of the verdict metric, and distances."""
    for name, metric in result["metrics"].children().items():
        unit = metric["unit"].text()
        kind = metric_kind(unit, is_more_better=metric["is_more_better"].flag())
        yield metric_figure(f"{label}: {name}", kind, metric["value"])
        if name == verdict_metric.text():
            yield metric_figure(f"{label}: lost {name}", loss_kind(unit), metric["change"]["loss"])
    for name, kind, key in _DISTANCES:
        yield metric_figure(f"{label}: {name}", kind, result["distance"][key])


_DISTANCES: tuple[tuple[str, FigureKind, str], ...] = (
    ("agreement", AGREEMENT, "agreement"),
    ("KL divergence", DIVERGENCE, "kl_divergence"),
    ("SQNR", SQNR, "sqnr_db"),
    ("max error", MAX_ERROR, "max_abs_error"),
)


def _validation(
    start: str, validation: Node, names: StageNames, *, is_judged: bool
) -> Iterator[Figure]:
    """Return how interpreters ran a model, and the figures of targets if ``is_judged``."""
    for name, target in validation["targets"].children().items():
        if is_judged:
            yield from verdict_figures(f"{start}{name}: ", target)
            yield from footprint_figures(f"{start}{name}: ", target)
    for name, runtime in validation["runtimes"].children().items():
        yield from host_figures(start, name, runtime, is_named=names.outputs)


def _folds(report: Node) -> Iterator[Figure]:
    folds = report["folds"]
    name = folds["metric"].text()
    if name is None:
        return
    unit, is_more_better = _unit(report, name)
    kind = metric_kind(unit, is_more_better=is_more_better)
    yield metric_figure(f"folds: mean {name}", kind, folds["mean"])
    yield metric_figure(f"folds: mean lost {name}", loss_kind(unit), folds["mean_loss"])
    yield other_figure(f"folds: deviation of {name}", VALUE, folds["deviation"].number())
    yield other_figure("folds", COUNT, len(folds["folds"].entries() or ()))
    yield other_figure("folds: settings", SETTING, folds["settings"].text())


def _unit(report: Node, name: str) -> tuple[str | None, bool | None]:
    """Return the unit of a metric and whether more is better; None if it was not measured."""
    for stage in _stages(report):
        for run in stage["runs"].children().values():
            for result in run["outputs"].children().values():
                if name in (metrics := result["metrics"].children()):
                    metric = metrics[name]
                    return metric["unit"].text(), metric["is_more_better"].flag()
    return None, None
