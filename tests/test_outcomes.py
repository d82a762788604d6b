"""The outcome on targets, which reports, their exit status and CI tools agree on."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from export_reports import EXPORT, FIRMWARE, MODEL, VALIDATION, on_nano

from edgepack.checks import Result, Verdict
from edgepack.config.budgets import Budgets
from edgepack.core.findings import Finding
from edgepack.core.packages import TFLITE_MICRO, TFLITE_RUNTIME
from edgepack.report.data.target import TargetReport
from edgepack.report.text.firmware import render_firmware
from edgepack.report.text.github import render_github
from edgepack.report.text.junit import render_junit
from edgepack.report.text.verdict_line import verdict_line

BUDGET = {"the command": Budgets(max_drop=1)}
UNSURE = Finding(message="9 samples", budget="max_drop 1 of the command", is_undecided=True)


def with_verdict(*findings: Finding, missing: tuple[str, ...] = ()) -> TargetReport:
    results = (
        Result(check="drop_is_in_budget", findings=findings),
        Result(check="npu_takes_all", findings=(), why_not="the target has no NPU"),
    )
    return replace(on_nano(), verdict=Verdict(results=results, missing=missing))


GOOD = with_verdict()
BAD = with_verdict(Finding(message="it crashed"), UNSURE)
UNDECIDED = with_verdict(UNSURE)
UNCHECKED = with_verdict(missing=(TFLITE_RUNTIME.lack, TFLITE_MICRO.lack))


@pytest.mark.parametrize(
    ("targets", "word", "status"),
    [
        ([GOOD], "passed", 0),
        ([GOOD, UNDECIDED], "not shown", 4),
        ([UNDECIDED, UNCHECKED], "not checked", 3),
        ([UNCHECKED, BAD, GOOD], "failed", 1),
    ],
)
def test_the_gravest_outcome_is_that_of_the_report_and_of_its_junit(
    targets: list[TargetReport], word: str, status: int
) -> None:
    named = {str(place): each for place, each in enumerate(targets)}
    report = replace(VALIDATION, targets=named, budgets=BUDGET)
    assert (report.word, report.exit_status) == (word, status)
    assert replace(EXPORT, targets=named, budgets=BUDGET).word == word
    models = {name: replace(MODEL, target=each) for name, each in named.items()}
    firmware = replace(FIRMWARE, models=models)
    assert (firmware.word, firmware.exit_status) == (word, status)
    assert render_firmware(firmware).splitlines()[-1].startswith(f"{word.upper()}: 1 file, ")
    suites = ElementTree.fromstring(render_junit(report))
    bad = [
        case for case in suites.iter("testcase") if not {"failure", "error"}.isdisjoint(_in(case))
    ]
    assert bool(bad) == (status != 0)
    annotations = render_github(report).splitlines()
    assert any(each.startswith("::error ") for each in annotations) == (status != 0)
    for suite in suites:
        cases = list(suite.iter("testcase"))
        assert len({case.get("name") for case in cases}) == len(cases)
        assert suite.get("tests") == str(len(cases))
        for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(counted) == str(sum(tag in _in(case) for case in cases))


def _in(case: ElementTree.Element) -> set[str]:
    return {each.tag for each in case}


def test_without_a_budget_a_model_runs_and_has_not_passed() -> None:
    assert (VALIDATION.word, EXPORT.word) == ("runs", "runs")
    assert replace(EXPORT, targets={"nano": BAD}).word == "failed"


def test_an_export_does_without_interpreters_that_are_not_installed() -> None:
    unchecked = replace(EXPORT, targets={"phone": UNCHECKED, "board": GOOD}, budgets=BUDGET)
    assert (unchecked.word, unchecked.passed, unchecked.exit_status) == ("not checked", True, 0)
    statuses = [
        replace(EXPORT, targets={"phone": UNCHECKED, "board": each}).exit_status
        for each in (BAD, UNDECIDED)
    ]
    assert statuses == [1, 4]


def test_models_that_do_not_fit_together_fail() -> None:
    assert (FIRMWARE.word, FIRMWARE.exit_status) == ("passed", 0)
    large = replace(FIRMWARE, flash_bytes=2 << 20)
    assert (large.word, large.passed, large.exit_status) == ("failed", False, 1)


def test_the_last_line_says_what_is_not_installed() -> None:
    assert verdict_line({"phone": UNCHECKED, "board": GOOD}, None, {}).startswith(
        "NOT CHECKED on phone (tflite-runtime is not installed, tflite-micro is not installed);"
        " runs on 1 of 2; "
    )
