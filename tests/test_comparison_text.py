"""The report of a comparison as text."""

from __future__ import annotations

from dataclasses import replace
from itertools import product, takewhile

import pytest
from comparison_reports import (
    EVIL,
    LONG,
    PICTURE,
    complete_comparison,
    losing,
    metric,
)
from detail_reports import SCORES
from documents import check_text

from edgepack.evaluation.results import Interval, Shown
from edgepack.report.data.compare import CompareReport
from edgepack.report.document.markdown import render_markdown
from edgepack.report.format import amounts
from edgepack.report.pages.compare import comparison_document
from edgepack.report.text.compare import render_comparison


@pytest.mark.parametrize(
    ("name", "classes"), [*product([EVIL, LONG, "a\x1b[31m\n\u202eb", "short"], [2, 5])]
)
def test_the_text_fits_a_terminal(name: str, classes: int) -> None:
    report = complete_comparison(name, classes, runtimes=("tflite-runtime", "litert", "tflm", LONG))
    check_text(render_comparison(report))
    check_text(render_comparison(replace(report, metrics={})))


def test_the_text_has_the_metric_of_the_verdict() -> None:
    text = render_comparison(losing(0.7))
    assert "0.9000 (0.8900 to 0.9100)" in text
    assert "0.70 points (-0.30 to 1.70)" in text
    assert "agreement" in text
    assert "98.50%" in text
    assert "size      float 98,888 B, int8 m 47,728 B" in text
    assert "Over 2 folds, accuracy is 0.9050 on average" in text
    assert "C array   int8 m" not in text  # it holds the bytes of the file


def test_a_metric_without_a_value_is_reported() -> None:
    report = losing(0.7)
    without_value = replace(metric("roc-auc", "fraction", None, None), title="ROC-AUC")
    stages = [
        replace(
            stage,
            runs={
                name: replace(
                    run,
                    outputs={
                        SCORES: replace(run.outputs[SCORES], metrics={"roc-auc": without_value})
                    },
                )
                for name, run in stage.runs.items()
            },
        )
        for stage in report.stages
    ]
    report = replace(report, stages=tuple(stages), metrics={SCORES: "roc-auc"}, budgets={})
    text = render_comparison(report)
    assert "int8 m: the ROC-AUC is undefined" in text
    assert "agreement" in text.splitlines()[0]
    assert comparison_document(report, {}).headline.word == "Whether there is a drop is unknown"


def test_a_run_that_failed_has_a_row() -> None:
    report = losing(0.7)
    stage = report.stages[-1]
    failed = replace(stage.runs["litert"], failure="killed", outputs={})
    runs = {**stage.runs, "tflm": failed}
    text = render_comparison(replace(report, stages=(report.stages[0], replace(stage, runs=runs))))
    (row,) = [line for line in text.splitlines() if line.startswith("int8 m  tflm")]
    assert row.split() == ["int8", "m", "tflm", "did", "not", "run", "-", "-"]


def test_a_loss_has_as_many_digits_as_its_interval_needs() -> None:
    small = metric("psnr", "decibels", 10.0, -0.0007)
    assert small.change is not None
    small = replace(small, change=replace(small.change, interval=Interval(low=-0.0013, high=-1e-4)))
    assert amounts.format_loss(small) == "-0.0007 dB (-0.0013 to -0.0001)"
    assert amounts.format_loss(small, interval=False) == "0.00 dB"


def test_amounts_are_short_and_have_no_negative_zero() -> None:
    tiny = metric("accuracy", "fraction", 0.9, -0.001)
    assert amounts.format_loss(tiny, interval=False) == "0.00 points"
    assert amounts.format_loss(metric("mse", "error", 1.0, 1.25e6), interval=False) == "1.25e+06%"
    assert amounts.format_metric(metric("mse", "error", 1.2e-5, 0.0), interval=False) == "1.2e-05"
    assert amounts.format_p_value(metric("a", "fraction", 0.5, 0.1, 1e-9)) == "< 0.0001"
    assert amounts.format_metric(metric("auc", "fraction", None, None)) == "-"


def test_several_outputs_are_named() -> None:
    text = render_comparison(complete_comparison("m"))
    assert f"output {SCORES}" in text
    assert f"output {PICTURE}" in text


def test_a_c_array_of_another_model_is_reported() -> None:
    report = losing(0.7)
    stage = report.stages[-1]
    assert stage.origin
    altered = replace(stage, origin=replace(stage.origin, is_same_as_c=False))
    text = render_comparison(replace(report, stages=(report.stages[0], altered)))
    assert "C array   int8 m: NOT THE SAME BYTES as the file" in text


def agreeing(agreement: float | None, *of_other: str | None) -> CompareReport:
    """A comparison of samples, all of the class "a" in float, with another model's classes."""
    report = losing(0.0)
    of_float, stage = report.stages
    output = stage.runs["litert"].outputs[SCORES]
    assert output.distance
    worst = tuple(
        replace(
            output.worst[0],
            index=index,
            wanted=None,
            of_float=Shown(label=label and "a", score=label and 0.9),
            of_other=Shown(label=label, score=label and 0.8),
        )
        for index, label in enumerate(of_other)
    )
    output = replace(output, distance=replace(output.distance, agreement=agreement), worst=worst)
    runs = {"litert": replace(stage.runs["litert"], outputs={SCORES: output})}
    return replace(report, stages=(of_float, replace(stage, runs=runs)))


def samples_in(text: str) -> list[str]:
    """The first cell of each row below the heading of the samples."""
    lines = text.splitlines()
    heading = next((place for place, line in enumerate(lines) if line.startswith("sample ")), None)
    if heading is None:
        return []
    return [line.split()[0] for line in takewhile(str.strip, lines[heading + 1 :])]


@pytest.mark.parametrize(
    ("report", "samples", "sentence"),
    [
        (agreeing(1.0, "a", "a"), [], "int8 m predicts the class of float on every sample."),
        (agreeing(0.5, "b", "a"), ["0"], "distance  KL divergence of the scores of the sample"),
        (agreeing(None, None, None), ["0", "1"], "distance  mean squared error of the sample's"),
    ],
)
def test_only_samples_on_which_the_models_disagree_are_listed(
    report: CompareReport, samples: list[str], sentence: str
) -> None:
    text = render_comparison(report)
    assert samples_in(text) == samples
    assert sentence in text
    document = render_markdown(comparison_document(report, {}))
    section = document.partition("## Where the models disagree")[2].partition("\n## ")[0]
    assert section.count("**Sample ") == len(samples)
    assert ("predicts the class of float on every sample" in section) == (not samples)
