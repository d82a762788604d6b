"""Example reports of comparisons: with every part or none, and with hostile names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from detail_reports import SCORES, file, layers, validation

from edgepack.calibration.lint import LintFinding
from edgepack.config.budgets import Budgets
from edgepack.evaluation.results import (
    Change,
    ClassResult,
    Distance,
    Interval,
    MetricResult,
    OutputResult,
    Shown,
    WorstSample,
)
from edgepack.report.data.compare import (
    FLOAT,
    PRUNED,
    QUANTIZED,
    CompareReport,
    Fold,
    FoldsReport,
    Origin,
    Stage,
    StageRun,
)
from edgepack.report.data.lint import LintReport
from edgepack.report.data.shown_samples import ShownSample, ShownSamples
from edgepack.tflite.sparsity import Sparsity

EVIL = "<script>alert(1)</script>"
LONG = "a_name_without_an_end_" * 20
PICTURE = f"{EVIL}|`picture`"
"""The second output: a picture. The first is ``SCORES``."""


def complete_comparison(
    name: str = EVIL, classes: int = 3, runtimes: Sequence[str] = ("litert", "tflm")
) -> Any:
    """Make a comparison with every part, and the same name for everything that has one."""
    names = tuple(f"{name}{index}" for index in range(classes))
    outputs = (SCORES, PICTURE)
    of_float = {each: _output(each, names, None) for each in outputs}
    lost = {each: _output(each, names, 0.7) for each in outputs}
    return CompareReport(
        model=name,
        float_runtime="Keras",
        data={"name": f"{name}.npz", "bytes": 5, "sha256": "0" * 64},
        samples=400,
        classes={SCORES: names},
        metrics={SCORES: "accuracy", PICTURE: "psnr"},
        stages=(
            _stage("float", FLOAT, {"Keras": _ran(of_float)}, 98_888),
            replace(
                _stage(f"pruned {name}", PRUNED, {"Keras": _ran(lost)}, 98_888),
                is_converted=True,
                layers=None,
                why_no_layers=f"{name} is in float",
            ),
            _stage(
                f"int8 {name}", QUANTIZED, {each: _ran(lost) for each in runtimes}, 47_728, name
            ),
        ),
        folds=FoldsReport(
            metric="accuracy",
            is_stratified=True,
            settings=f"int8, min-max, {name}",
            folds=(
                Fold(samples=200, float_value=0.92, value=0.91, loss=1.0),
                Fold(samples=200, float_value=0.9, value=0.9, loss=None),
            ),
            mean=0.905,
            deviation=0.007,
            mean_loss=0.5,
            loss_deviation=0.7,
        ),
        lint=LintReport(
            model=name,
            samples={"test data": 400},
            witnesses={"test data": (f"the layer {name}",)},
            findings=(
                LintFinding(
                    rule="scale", dataset="test data", name=name, sentence=name, cure=f"fix {name}"
                ),
            ),
        ),
        budgets={"the command": Budgets(max_drop=1.0)},
        inputs={
            "model": {"name": f"{name}.h5", "bytes": 3, "sha256": "1" * 64},
            "test": {"function": f"mine:{name}"},
        },
        versions={"edgepack": "0.8", "numpy": name},
        notes=(f"a note of {name}",),
    )


def empty_comparison() -> CompareReport:
    """Make a comparison without optional parts, in which the quantized model did not run."""
    ran = StageRun(version="1", failure=None, outputs={SCORES: OutputResult(metrics={})})
    failed = StageRun(version="1", failure="killed", outputs={})
    stage = Stage(
        name="float",
        role=FLOAT,
        file="f.h5",
        artifact=None,
        is_converted=False,
        runs={"Keras": ran},
    )
    return CompareReport(
        model="m",
        float_runtime="Keras",
        data={"object": "Dataset"},
        samples=1,
        classes={},
        metrics={},
        stages=(stage, replace(stage, name="int8", role=QUANTIZED, runs={"litert": failed})),
        folds=None,
        lint=None,
        budgets={},
        inputs={},
        versions={},
        notes=(),
    )


def some_samples(report: CompareReport) -> ShownSamples:
    """Make some of the worst samples of the last stage: a wave, a map, a row and pictures."""
    random = np.random.default_rng(0)
    inputs = {
        "wave": random.normal(size=(16_000, 1)),
        "features": random.normal(size=(49, 10, 1)),
        "row": np.array([1.0, np.nan, 3.0]),
        f"image{EVIL}": random.integers(0, 256, (32, 32, 3)),
    }
    stage = report.stages[-1].name
    scores, pixels = random.random(len(report.classes[SCORES])), random.random((28, 28, 1))
    return {
        (stage, SCORES, 7): ShownSample(inputs=inputs, of_float=scores, of_other=scores[::-1]),
        (stage, PICTURE, 7): ShownSample(inputs=inputs, of_float=pixels, of_other=pixels / 2),
    }


def _ran(outputs: dict[str, OutputResult]) -> StageRun:
    return StageRun(version="2.3", failure=None, outputs=outputs)


def metric(
    name: str, unit: str, value: float | None, lost: float | None, p_value: float | None = None
) -> MetricResult:
    """Make a metric, with intervals of plus or minus 0.01 for its value and 1 for its loss."""
    change = lost is not None and Change(
        loss=lost,
        interval=Interval(low=lost - 1, high=lost + 1),
        detectable=1.2,
        only_float=6 if p_value else None,
        only_other=4 if p_value else None,
        p_value=p_value,
    )
    return MetricResult(
        name=name,
        title={"auc": "ROC-AUC", "psnr": "PSNR"}.get(name, name),
        unit=unit,
        is_more_better=unit != "error",
        value=value,
        interval=None if value is None else Interval(low=value - 0.01, high=value + 0.01),
        change=change or None,
    )


def _output(output: str, names: tuple[str, ...], lost: float | None) -> OutputResult:
    p_value = None if lost is None else 0.69
    distance = lost and Distance(
        agreement=0.985 if output == SCORES else None,
        kl_divergence=0.00123,
        sqnr_db=29.0,
        max_abs_error=0.15,
        mean_abs_error=0.01,
    )
    if output == PICTURE:
        return OutputResult(
            metrics={
                "psnr": metric("psnr", "decibels", 32.1, lost),
                "mse": metric("mse", "error", 1.2e-5, lost and 12_345.678),
            },
            distance=distance or None,
            worst=_worst(None) if lost else (),
        )
    scores = (None if lost else 0.9, 0.91, 0.905, 0.99)
    return OutputResult(
        metrics={
            "accuracy": metric("accuracy", "fraction", 0.9, lost, p_value),
            "auc": metric("auc", "fraction", None, None),
            "f1_macro": metric("f1_macro", "fraction", 0.89, lost),
        },
        classes=tuple(
            ClassResult(
                name=name,
                samples=400 // len(names),
                precision=scores[0],
                recall=scores[1] - (lost or 0) * index / 10 / len(names),
                f1=scores[2],
                roc_auc=scores[3],
            )
            for index, name in enumerate(names)
        ),
        confusion=tuple(
            (label, predicted, 9 if label == predicted else 1)
            for label in range(len(names))
            for predicted in range(len(names))
            if label == predicted or (label + predicted) % 2
        ),
        distance=distance or None,
        worst=_worst(names) if lost else (),
    )


def _worst(names: tuple[str, ...] | None) -> tuple[WorstSample, ...]:
    of = Shown(label=names[0], score=0.93) if names else Shown(label=None, score=None)
    other = Shown(label=names[-1], score=0.51) if names else of
    return tuple(
        WorstSample(
            index=index,
            wanted=names[0] if names else None,
            of_float=of,
            of_other=other,
            distance=1 / index,
        )
        for index in range(7, 15)
    )


def _stage(
    name: str, role: str, runs: dict[str, StageRun], size: int, layer: str | None = None
) -> Stage:
    return Stage(
        name=name,
        role=role,
        file=f"{name}.tflite",
        artifact=file(size),
        is_converted=False,
        runs=runs,
        validation=validation(name, list(runs), size),
        sparsity=Sparsity(overall=0.5, layers={layer or name: 0.5, "dense": 0.1}),
        layers=layers(layer) if layer else None,
        origin=Origin(
            recipe={"seed": 0, "quantization": {"scheme": name}},
            versions={"edgepack": "0.8"},
            notes=(f"a note of {name}",),
            c_array=file(300_000),
            is_same_as_c=role == QUANTIZED,
        ),
    )


def losing(lost: float, p_value: float = 0.01) -> CompareReport:
    """Make a comparison with one output and one quantized model."""
    report = complete_comparison("m", runtimes=("litert",))
    of_float, _, stage = report.stages
    accuracy = {"accuracy": metric("accuracy", "fraction", 0.9, lost, p_value)}
    (run,) = stage.runs.values()
    ran = replace(run, outputs={SCORES: replace(run.outputs[SCORES], metrics=accuracy)})
    first = replace(
        of_float.runs["Keras"], outputs={SCORES: of_float.runs["Keras"].outputs[SCORES]}
    )
    return replace(
        report,
        metrics={SCORES: "accuracy"},
        stages=(
            replace(of_float, runs={"Keras": first}),
            replace(stage, runs={"litert": ran}),
        ),
    )
