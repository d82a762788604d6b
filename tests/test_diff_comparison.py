"""edgepack diff of comparisons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from export_reports import EXPORT, FIRMWARE, NANO, VALIDATION, file, on_nano
from report_differences import DifferenceOf, changed, row

from edgepack.config.budgets import Budgets
from edgepack.config.diff import DiffConfig
from edgepack.core.errors import ReportError
from edgepack.evaluation.results import Change, Distance, Interval, MetricResult, OutputResult
from edgepack.pipeline.diff import diff
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
from edgepack.report.differences.difference import DiffReport
from edgepack.report.text.diff import render_difference
from edgepack.storage.text_files import write_json
from edgepack.tflite.sparsity import Sparsity


@pytest.fixture
def difference_of(tmp_path: Path) -> DifferenceOf:
    """Return a function that writes two reports as their commands do, and compares them."""

    def difference_of(*reports: Any) -> DiffReport:
        folders = []
        for name, report in zip("ab", reports, strict=True):
            folders.append(tmp_path / name)
            folders[-1].mkdir(exist_ok=True)
            write_json(folders[-1] / "report.json", report.to_dict())
        return diff(DiffConfig(a=folders[0], b=folders[1]))

    return difference_of


UNITS = {"accuracy": "fraction", "mse": "error", "psnr": "decibels", "own": "plain"}


def measured(name: str, value: float | None, loss: float | None = None) -> MetricResult:
    return MetricResult(
        name=name,
        title=name.upper(),
        unit=UNITS[name],
        is_more_better=name != "mse",
        value=value,
        interval=None,
        change=Change(loss=loss, interval=Interval(low=-1, high=1), detectable=None),
    )


def output(*metrics: MetricResult, **distance: float | None) -> OutputResult:
    usual = {"agreement": 0.99, "kl_divergence": 0.01, "sqnr_db": 29.0}
    return OutputResult(
        metrics={metric.name: metric for metric in metrics},
        distance=Distance(**usual | {"max_abs_error": 0.15, "mean_abs_error": 0.01} | distance),
    )


def ran(result: OutputResult, failure: str | None = None, name: str = "softmax") -> StageRun:
    return StageRun(version="1", failure=failure, outputs={} if failure else {name: result})


INT8 = ran(output(measured("accuracy", 0.9, 2.0)))
STAGES = (
    Stage(
        name=FLOAT,
        role=FLOAT,
        file="kws.h5",
        artifact=file(98888),
        is_converted=True,
        runs={"Keras": ran(replace(output(measured("accuracy", 0.92)), distance=None))},
        validation=replace(VALIDATION, targets={NANO: on_nano("it is in float")}),
    ),
    Stage(
        name=PRUNED,
        role=PRUNED,
        file="float.tflite",
        artifact=file(98888),
        is_converted=False,
        runs={"litert": ran(output(measured("accuracy", 0.91, 1.0)))},
        sparsity=Sparsity(overall=0.5, layers={}),
    ),
    Stage(
        name="int8",
        role=QUANTIZED,
        file="int8.tflite",
        artifact=file(47728),
        is_converted=False,
        runs={"litert": INT8, "tflm": INT8},
        validation=VALIDATION,
        sparsity=Sparsity(overall=0.5, layers={}),
        origin=Origin(
            recipe={"quantization": {"scheme": "int8"}, "observer": "min-max"},
            versions={},
            notes=(),
            c_array=file(300000),
            is_same_as_c=True,
        ),
    ),
)
FOLDS = FoldsReport(
    metric="accuracy",
    is_stratified=True,
    settings="int8, min-max",
    folds=(Fold(samples=100, float_value=0.92, value=0.9, loss=2.0),) * 4,
    mean=0.9,
    deviation=0.01,
    mean_loss=2.0,
    loss_deviation=0.1,
)
REPORT = CompareReport(
    model="kws.h5",
    float_runtime="Keras",
    data={"name": "test.npz", "bytes": 1, "sha256": "0" * 64},
    samples=400,
    classes={"softmax": ("yes", "no")},
    metrics={"softmax": "accuracy"},
    stages=STAGES,
    folds=FOLDS,
    lint=None,
    budgets={"the command": Budgets(max_drop=3.0)},
    inputs={"model": {"name": "kws.h5"}, "test": {"name": "test.npz", "sha256": "0" * 64}},
    versions={},
    notes=(),
)


def with_int8(**changes: Any) -> CompareReport:
    """Change the quantized stage."""
    return replace(REPORT, stages=(*STAGES[:2], replace(STAGES[2], **changes)))


def with_output(result: OutputResult) -> CompareReport:
    """Change the quantized model's output on TFLM."""
    return with_int8(runs={"litert": INT8, "tflm": ran(result)})


def test_a_comparison_does_not_differ_from_itself(difference_of: DifferenceOf) -> None:
    difference = difference_of(REPORT, REPORT)
    assert changed(difference) == {}
    text = render_difference(difference)
    assert "a comparison of kws.h5, 400 test samples" in text
    whats = {row.what for row in difference.rows}
    assert whats >= {
        *("verdict", "float", "float: accuracy", "pruned: litert: accuracy", "tflm"),
        *(f"tflm: {what}" for what in ("accuracy", "lost accuracy", "agreement", "SQNR")),
        *("tflm: KL divergence", "tflm: max error", "C array", "scheme", "observer"),
        *(f"{NANO}: {what}" for what in ("verdict", "flash", "RAM", "arena")),
        *("quantized model", "pruned model", "float model", "zeros in the quantized model"),
        *("folds: mean accuracy", "folds: mean lost accuracy", "folds", "folds: settings"),
        *("tflm: median time on the host", "float: tflm: median time on the host"),
        *("samples compared", "most that may be lost", "test data", "source model"),
    }
    assert "only_float" not in whats
    assert not any(
        what.startswith(f"float: {NANO}") for what in whats
    )  # the float model is not checked
    assert "softmax" not in text


@pytest.mark.parametrize(
    ("after", "verdicts", "line"),
    [
        (
            output(measured("accuracy", 0.89, 3.0)),
            {"tflm: accuracy": "worse", "tflm: lost accuracy": "worse"},
            "2.00 points  3.00 points  +1.00 points (+50%)",
        ),
        (
            output(measured("accuracy", 0.91, 1.0)),
            {"tflm: accuracy": "better", "tflm: lost accuracy": "better"},
            "0.9000 0.9100 +1.00 points",
        ),
        (
            output(measured("accuracy", 0.9, 2.0), kl_divergence=0.02, agreement=1.0, sqnr_db=26.0),
            {"tflm: agreement": "better", "tflm: KL divergence": "worse", "tflm: SQNR": "worse"},
            "0.01 0.02 +100%",
        ),
    ],
)
def test_metrics_know_which_way_is_better(
    difference_of: DifferenceOf,
    after: OutputResult,
    verdicts: dict[str, str],
    line: str,
) -> None:
    difference = difference_of(REPORT, with_output(after))
    assert changed(difference) == verdicts
    assert difference.exit_status == (1 if "worse" in verdicts.values() else 0)
    assert " ".join(line.split()) in " ".join(render_difference(difference).split())


@pytest.mark.parametrize(
    ("name", "before", "after", "verdict"),
    [
        ("mse", (0.1, 5.0), (0.2, 10.0), "worse"),
        ("psnr", (30.0, 0.5), (29.0, 1.5), "worse"),
        ("psnr", (30.0, 0.5), (31.0, -0.5), "better"),
        ("own", (3.0, 0.0), (4.0, -1.0), "better"),
    ],
)
def test_metrics_of_every_unit_are_judged(
    difference_of: DifferenceOf,
    name: str,
    before: tuple[float, float],
    after: tuple[float, float],
    verdict: str,
) -> None:
    a, b = (
        replace(
            REPORT,
            metrics={"softmax": name},
            stages=(replace(STAGES[2], runs={"tflm": ran(output(measured(name, *each)))}),),
            budgets={},
        )
        for each in (before, after)
    )
    assert changed(difference_of(a, b)) == {f"tflm: {name}": verdict, f"tflm: lost {name}": verdict}


def test_a_metric_that_is_no_number_is_only_in_one(difference_of: DifferenceOf) -> None:
    difference = difference_of(REPORT, with_output(output(measured("accuracy", float("nan")))))
    assert changed(difference) == {
        "verdict": "worse",
        "tflm: accuracy": "only in A",
        "tflm: lost accuracy": "only in A",
    }


def test_a_failed_run_a_target_and_another_c_array_are_worse(
    difference_of: DifferenceOf,
) -> None:
    origin = STAGES[2].origin
    assert origin is not None
    validation = replace(VALIDATION, targets={NANO: on_nano("the arena is too large")})
    after = with_int8(
        runs={"litert": INT8, "tflm": ran(output(), failure="no kernel for GELU")},
        validation=validation,
        origin=replace(origin, is_same_as_c=False, recipe={"observer": "lp"}),
    )
    difference = difference_of(REPORT, after)
    verdicts = {
        what: word for what, word in changed(difference).items() if word in ("worse", "different")
    }
    assert verdicts == {
        "verdict": "worse",
        "tflm": "worse",
        f"{NANO}: verdict": "worse",
        f"{NANO}: reason": "worse",
        "C array": "worse",
        "observer": "different",
    }
    assert row(difference, "C array").b == "another model"
    assert (row(difference, "verdict").a, row(difference, "verdict").b) == ("passed", "failed")


def test_folds_and_sizes_are_judged(difference_of: DifferenceOf) -> None:
    folds = replace(FOLDS, mean=0.85, mean_loss=7.0, deviation=0.02, folds=FOLDS.folds[:2])
    after = replace(with_int8(artifact=file(50000)), folds=folds)
    assert changed(difference_of(REPORT, after)) == {
        "folds: mean accuracy": "worse",
        "folds: mean lost accuracy": "worse",
        "folds: deviation of accuracy": "different",
        "folds": "different",
        "quantized model": "worse",
    }
    without = changed(difference_of(REPORT, replace(REPORT, folds=None, budgets={})))
    assert without["folds: mean accuracy"] == "only in A"


def test_a_metric_of_folds_that_was_not_measured_is_not_judged(
    difference_of: DifferenceOf,
) -> None:
    a, b = (replace(REPORT, folds=replace(FOLDS, metric="f1", mean=mean)) for mean in (0.8, 0.9))
    assert changed(difference_of(a, b)) == {"folds: mean f1": "different"}


def test_several_models_are_named(difference_of: DifferenceOf) -> None:
    wide = replace(STAGES[2], name="int16", runs={"tflm": INT8})
    difference = difference_of(REPORT, replace(REPORT, stages=(*STAGES, wide)))
    assert row(difference, "int8: tflm: accuracy").verdict == "same"
    assert row(difference, "int16: tflm: accuracy").verdict == "only in B"
    assert row(difference, f"int16: {NANO}: verdict").verdict == "only in B"
    renamed = replace(REPORT, stages=(*STAGES[:2], replace(STAGES[2], name="kws")))
    assert changed(difference_of(REPORT, renamed)) == {}  # a single model needs no name


def test_several_outputs_are_named(difference_of: DifferenceOf) -> None:
    both = StageRun(version="1", failure=None, outputs={**INT8.outputs, "age": output()})
    difference = difference_of(REPORT, with_int8(runs={"litert": INT8, "tflm": both}))
    assert row(difference, "softmax: tflm: accuracy").verdict == "same"
    assert row(difference, "age: tflm: agreement").verdict == "only in B"


def test_other_samples_are_pointed_out(difference_of: DifferenceOf) -> None:
    inputs = REPORT.inputs | {"test": {"name": "other.npz", "sha256": "1" * 64}}
    difference = difference_of(REPORT, replace(REPORT, inputs=inputs, samples=500))
    assert changed(difference) == {"samples compared": "different", "test data": "different"}
    assert "note: A and B ran on different samples" in render_difference(difference)


@pytest.mark.parametrize("other", [EXPORT, VALIDATION, FIRMWARE])
def test_a_comparison_is_compared_with_comparisons_alone(
    difference_of: DifferenceOf,
    other: Any,
) -> None:
    for reports in ((REPORT, other), (other, REPORT)):
        with pytest.raises(ReportError, match=r"; compare (firmware|a comparison) with "):
            difference_of(*reports)


def test_what_is_odd_in_a_comparison_is_named_by_its_path(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    write_json(report, REPORT.to_dict())
    good = report.read_text()
    for old, new, path in (
        ('"value": 0.9,', '"value": "high",', r"stages\[2\].runs.litert.outputs.softmax"),
        ('"stages": [', '"stages": [3, ', r"'stages\[0\]' should be an object"),
        ('"folds": {', '"folds": {"metric": 3}, "x": {', "'folds.metric' should be a string"),
    ):
        assert old in good
        report.write_text(good.replace(old, new))
        with pytest.raises(ReportError, match=path):
            diff(DiffConfig(a=report, b=tmp_path))
    write_json(report, {"schema": 1, "kind": "comparison", "stages": []})
    with pytest.raises(ReportError, match="has no figure in common"):
        diff(DiffConfig(a=report, b=report))


def test_names_are_escaped_and_shortened(difference_of: DifferenceOf) -> None:
    name = "\x1b[2J\n<b>\u202e" + "x" * 500
    runs = {"tflm": ran(output(measured("accuracy", 0.8, 12.0)), name=name), name: INT8}
    odd = with_int8(name=name, runs=runs)
    difference = difference_of(replace(odd, model=name), replace(REPORT, model=name))
    assert all(
        line.isprintable() and len(line) < 250 for line in render_difference(difference).split("\n")
    )
    json.dumps(difference.to_dict())
