"""The figures of an export or a validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.config.quantization import FLOAT_TFLITE, tflite_name
from edgepack.evaluation.scores import NOT_SCHEMES
from edgepack.metrics import listed_metric
from edgepack.report.differences.common_figures import (
    file,
    footprint_figures,
    judged,
    on_host,
    run,
    went_in,
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
    kind_of,
    metric_figure,
    other_figure,
    size_figure,
)
from edgepack.report.differences.read_report import Node


def bundle_figures(report: Node, manifest: Node, *, is_named: bool) -> Iterator[Figure]:
    """Take the figures out of the report of an export or a validation.

    ``is_named`` says that outputs are told apart by their names.
    """
    scheme = _scheme(report)
    for name, target in report["targets"].children().items():
        yield from judged(f"{name}: ", target)
        yield from footprint_figures(f"{name}: ", target)
    for name, runtime in report["runtimes"].children().items():
        yield run(name, runtime)
        yield from on_host("", name, runtime, is_named=is_named)
        yield other_figure(f"{name}: version", SETTING, runtime["version"].text())
    for name, output in report["comparison"]["outputs"].children().items():
        stages = {stage: outputs[name] for stage, outputs in _stages(report).items()}
        yield from _output(f"{name}: " if is_named else "", output, stages)
    artifacts = report["artifacts"].children()
    quantized = artifacts.get(tflite_name(scheme), report["artifact"])
    yield from file("quantized model", quantized)
    if FLOAT_TFLITE in artifacts:
        yield from file(FLOAT_TFLITE, artifacts[FLOAT_TFLITE])
    for path, artifact in artifacts.items():
        if path.endswith(".c"):
            yield size_figure("model.c, as text", artifact["bytes"])
    zeros = {"float": report["sparsity"], "quantized": report["sparsity"][scheme]}
    for which, sparsity in zeros.items():
        yield other_figure(f"zeros in the {which} model", ZEROS, sparsity["overall"].number())
    yield from _settings(report, scheme)
    yield from went_in(manifest["recipe"])


def _scheme(report: Node) -> str:
    """Find what a model was quantized to; empty if nothing says so."""
    if scheme := report["quantization"]["scheme"].text():
        return scheme
    outputs = report["comparison"]["outputs"].children().values()
    keys = (key for output in outputs for key in output.children() if key not in NOT_SCHEMES)
    return next(keys, "")


def _stages(report: Node) -> dict[str, Node]:
    """Find the outputs of the model after each step of compression, by what it is called then."""
    steps = report["compression"].entries() or ()
    return {step["stage"].text() or "": step["outputs"] for step in steps}


def _output(start: str, output: Node, stages: Mapping[str, Node]) -> Iterator[Figure]:
    name = output["metric"].text()
    known = listed_metric(name) if name else None
    kind = kind_of(known.unit, is_more_better=known.is_more_better) if known else VALUE
    # Reports of earlier versions know one step, of pruning.
    scored: dict[str, Node] = {**stages} or {"pruned": output["pruned"]}
    for key, scores in output.children().items():
        if key not in NOT_SCHEMES:
            scored |= scores.children()
    if name is not None:
        values = {"float": output["float"]} | {who: score["value"] for who, score in scored.items()}
        for who, value in values.items():
            yield metric_figure(f"{start}{who}: {name}", kind, value)
    for label, its_kind, key in _SCORES:
        for who, score in scored.items():
            yield metric_figure(f"{start}{who}: {label}", its_kind, score[key])


_SCORES = (
    ("agreement", AGREEMENT, "agreement"),
    ("SQNR", SQNR, "sqnr_db"),
    ("max error", MAX_ERROR, "max_abs_error"),
)


def _settings(report: Node, scheme: str) -> Iterator[Figure]:
    quantization, calibration = report["quantization"], report["calibration"]
    compared = report["comparison"]
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
        "compared on": compared["data"].text() or report["data"].text(),
    }
    for what, value in settings.items():
        yield other_figure(what, SETTING, value)
    counts = {
        "samples compared": compared["samples"].number() or report["samples"].number(),
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
