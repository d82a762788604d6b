"""The figures of an export or a validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.config.quantization import FLOAT_TFLITE, tflite_name
from edgepack.evaluation.scores import NOT_SCHEMES
from edgepack.metrics import find_built_in_metric
from edgepack.report.differences.common_figures import (
    file_figures,
    footprint_figures,
    host_figures,
    input_figures,
    run_figure,
    verdict_figures,
)
from edgepack.report.differences.figure_kinds import (
    AGREEMENT,
    COUNT,
    MAX_ERROR,
    SETTING,
    SQNR,
    VALUE,
    ZEROS,
    Figure,
    Value,
    metric_figure,
    metric_kind,
    other_figure,
    size_figure,
)
from edgepack.report.differences.read_report import Node


def export_figures(report: Node, manifest: Node, *, is_named: bool) -> Iterator[Figure]:
    """Return the figures of the report of an export or a validation.

    ``is_named`` is whether figures include the names of outputs.
    """
    scheme = _scheme(report)
    for name, target in report["targets"].children().items():
        yield from verdict_figures(f"{name}: ", target)
        yield from footprint_figures(f"{name}: ", target)
    for name, runtime in report["runtimes"].children().items():
        yield run_figure(name, runtime)
        yield from host_figures("", name, runtime, is_named=is_named)
        yield other_figure(f"{name}: version", SETTING, runtime["version"].text())
    for name, output in report["comparison"]["outputs"].children().items():
        stages = {stage: outputs[name] for stage, outputs in _stages(report).items()}
        yield from _output(f"{name}: " if is_named else "", output, stages)
    artifacts = report["artifacts"].children()
    quantized = artifacts.get(tflite_name(scheme), report["artifact"])
    yield from file_figures("quantized model", quantized)
    if FLOAT_TFLITE in artifacts:
        yield from file_figures(FLOAT_TFLITE, artifacts[FLOAT_TFLITE])
    for path, artifact in artifacts.items():
        if path.endswith(".c"):
            yield size_figure("model.c, as text", artifact["bytes"])
    zeros = {"float": report["sparsity"], "quantized": report["sparsity"][scheme]}
    for which, sparsity in zeros.items():
        yield other_figure(f"zeros in the {which} model", ZEROS, sparsity["overall"].number())
    yield from _settings(report, scheme)
    yield from input_figures(manifest["recipe"])


def _scheme(report: Node) -> str:
    """Return the scheme that a model was quantized to; empty if unknown."""
    if scheme := report["quantization"]["scheme"].text():
        return scheme
    outputs = report["comparison"]["outputs"].children().values()
    keys = (key for output in outputs for key in output.children() if key not in NOT_SCHEMES)
    return next(keys, "")


def _stages(report: Node) -> dict[str, Node]:
    """Return the outputs after each step of compression, by the model's name after the step."""
    steps = report["compression"].entries() or ()
    return {step["stage"].text() or "": step["outputs"] for step in steps}


def _output(start: str, output: Node, stages: Mapping[str, Node]) -> Iterator[Figure]:
    name = output["metric"].text()
    metric = find_built_in_metric(name) if name else None
    kind = metric_kind(metric.unit, is_more_better=metric.is_more_better) if metric else VALUE
    # Reports of earlier versions have one step, of pruning.
    scores_of: dict[str, Node] = {**stages} or {"pruned": output["pruned"]}
    for key, scores in output.children().items():
        if key not in NOT_SCHEMES:
            scores_of |= scores.children()
    if name is not None:
        values = {"float": output["float"]} | {
            model: score["value"] for model, score in scores_of.items()
        }
        for model, value in values.items():
            yield metric_figure(f"{start}{model}: {name}", kind, value)
    for label, score_kind, key in _SCORES:
        for model, score in scores_of.items():
            yield metric_figure(f"{start}{model}: {label}", score_kind, score[key])


_SCORES = (
    ("agreement", AGREEMENT, "agreement"),
    ("SQNR", SQNR, "sqnr_db"),
    ("max error", MAX_ERROR, "max_abs_error"),
)


def _settings(report: Node, scheme: str) -> Iterator[Figure]:
    quantization, calibration = report["quantization"], report["calibration"]
    comparison = report["comparison"]
    is_export = "pruning" in report.children()
    observer = "as given" if calibration.children() else None
    settings: Mapping[str, Value] = {
        "model" if is_export else "file": report["model"].text(),
        "scheme": scheme or None,
        "scheme of layers": _layers(quantization["layers"]),
        "input type": quantization["input_type"].text(),
        "output type": quantization["output_type"].text(),
        "scales of dense layers": quantization["dense"].text(),
        "left in float": quantization["in_float"].texts(),
        "observer": calibration["observer"].text() or observer,
        "pruning": report["pruning"]["way"].text() or ("none" if is_export else None),
        "steps of compression": _techniques(report) or ("none" if is_export else None),
        "float model run by": report["float_runtime"].text(),
        "compared on": comparison["data"].text() or report["data"].text(),
    }
    for what, value in settings.items():
        yield other_figure(what, SETTING, value)
    counts = {
        "samples compared": comparison["samples"].number() or report["samples"].number(),
        "samples calibrated with": calibration["samples"].number(),
    }
    for what, count in counts.items():
        yield other_figure(what, COUNT, count)


def _techniques(report: Node) -> str:
    steps = report["compression"].entries()
    if steps is None:
        return "prune" if report["pruning"].children() else ""
    return ", ".join(step["technique"].text() or "" for step in steps)


def _layers(pairs: Node) -> tuple[str, ...] | None:
    entries = pairs.entries()
    return None if entries is None else tuple("=".join(each.texts() or ()) for each in entries)
