"""What the last line says, and the exit status that goes with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Bundle, Edgepack
from export_reports import on_nano
from tiny import Value, one_operator

from edgepack.checks import Result, Verdict
from edgepack.config.budgets import Budgets
from edgepack.core.findings import Finding
from edgepack.report.text.verdict_line import verdict_clauses, verdict_line

TARGET = ("--target", "nano-33-ble-sense")


@pytest.fixture(scope="session")
def validated(pruned_digits: Bundle, digits: Path) -> tuple[Path, Path]:
    return pruned_digits.folder / "int8.tflite", digits / "test.npz"


@pytest.mark.parametrize(
    ("budgets", "status", "start", "told"),
    [
        ((), 0, "RUNS on 1 target; accuracy ", ": 400 samples "),
        (("--max-drop", 100), 0, "PASSED on 1 target; accuracy ", "; within max_drop 100 of the "),
        (("--max-drop", 0), 4, "NOT SHOWN on nano-33-ble-sense to be within max_drop 0 of", "acc"),
        (
            ("--max-drop", 0, "--not-shown", "passes"),
            0,
            "PASSED on 1 target; ",
            "; max_drop 0 of the command is not shown, which passes",
        ),
        (("--max-drop", 0, "--not-shown", "fails"), 1, "FAILED on nano-33-ble-sense: ", ""),
        (("--max-class-drop", 0), 4, "NOT SHOWN on nano-33-ble-sense to be within max_class", ""),
        (("--max-class-drop", 100), 0, "PASSED on 1 target; ", "within max_class_drop 100"),
        (
            ("--max-class-drop", 0, "--max-drop", 100, "--not-shown", "passes"),
            0,
            "PASSED on 1 target; ",
            "; within max_drop 100 of the command; max_class_drop 0 of the command is not shown,",
        ),
        (
            ("--max-class-drop", 0, "--max-drop", 100),
            4,
            "NOT SHOWN on nano-33-ble-sense to be within max_class_drop 0 of the command; accuracy",
            "",
        ),
        (("--min-agreement", 100), 1, "FAILED on nano-33-ble-sense: ", ""),
        (("--min-agreement", 50, "--min-sqnr", 5), 0, "PASSED on 1 target; ", "min_agreement 50"),
        (("--min-sqnr", 99), 1, "FAILED on nano-33-ble-sense: ", ""),
    ],
)
def test_budgets_decide_the_verdict_and_the_status(
    edgepack: Edgepack,
    validated: tuple[Path, Path],
    budgets: tuple[object, ...],
    status: int,
    start: str,
    told: str,
) -> None:
    model, test = validated
    done = edgepack("validate", model, "--test", test, *TARGET, *budgets)
    last = done.stdout.splitlines()[-1]
    assert last.startswith(start)
    assert told in last
    assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        (("--min-sqnr", 20), "min_sqnr of the command: random inputs do not show how close"),
        (("--max-class-drop", 1), "there are no classes to measure a drop of; give --test with"),
        (("--min-agreement", 0.98), "must be a percentage up to 100, such as 98"),
        (("--not-shown", "maybe"), "'maybe': choose one of passes, fails"),
        (("--not-shown", "passes"), "there is no max_drop and no max_class_drop that it applies"),
    ],
)
def test_budgets_that_cannot_be_judged_are_refused(
    edgepack: Edgepack,
    validated: tuple[Path, Path],
    budgets: tuple[object, ...],
    message: str,
) -> None:
    done = edgepack("validate", validated[0], *TARGET, *budgets)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("command", ["export", "quantize"])
def test_what_not_shown_applies_to_is_asked_before_the_model_is_loaded(
    edgepack: Edgepack, models: Path, command: str
) -> None:
    given = (command, models / "cnn.h5", "--representative", models / "cnn.npz")
    done = edgepack(*given, "--output", "out", "--not-shown", "passes")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()  # and no step before it
    assert line.startswith("error: not_shown of the command: there is no max_drop and no max_class")


def test_a_model_that_pruning_destroyed_fails_whatever_the_budget(
    edgepack: Edgepack, digits: Path, tmp_path: Path
) -> None:
    done = edgepack(
        "export", digits / "digits.h5", "--representative", digits / "calibration.npz",
        *("--test", digits / "test.npz", "--sparsity", 0.97, "--max-drop", 100, *TARGET),
        *("--output", tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["passed"] is False
    (output,) = report["comparison"]["outputs"].values()
    assert output["pruned"]["collapse"]
    text = " ".join(done.stdout.split())
    assert "the pruned float model is no better: it was lost before it was quantized" in text
    assert "compress less, or fine-tune the Keras model with --train" in text
    assert done.stdout.splitlines()[-1].startswith("FAILED on nano-33-ble-sense: ")


def test_findings_of_the_linter_stand_in_the_last_line(
    edgepack: Edgepack, models: Path, tmp_path: Path
) -> None:
    arrays = dict(np.load(models / "cnn.npz"))
    np.savez(tmp_path / "few.npz", **{name: each[:4] for name, each in arrays.items()})
    done = edgepack(
        "quantize", models / "cnn.h5", "--representative", tmp_path / "few.npz",
        *("--output", tmp_path / "out", *TARGET),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert "; the linter warns of few-samples" in lines[-1]
    assert any(line.startswith("warning: representative dataset: ") for line in lines)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "few-samples" in {finding["rule"] for finding in report["lint"]}


def test_outputs_that_overflow_fail_and_are_reported(edgepack: Edgepack, tmp_path: Path) -> None:
    infinite, finite = tmp_path / "infinite.tflite", tmp_path / "float.tflite"
    for path, addend in ((infinite, np.inf), (finite, 2.0)):
        constant = Value([1, 3], values=[addend] * 3)
        path.write_bytes(one_operator("ADD", [Value([1, 3]), constant], [Value([1, 3])]))
    np.savez(tmp_path / "test.npz", x=np.ones((4, 3), np.float32))
    done = edgepack(
        *("validate", infinite, "--test", tmp_path / "test.npz", "--format", "json"),
        *("--target", "android-arm64"),
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    reasons = report["targets"]["android-arm64"]["reasons"]
    assert any("hardly better than noise" in reason for reason in reasons), reasons


def test_each_target_fails_for_its_own_reasons() -> None:
    budget = "max_drop 1 of the target d"
    unsure = Finding(message="9 samples", budget=budget, is_undecided=True)
    targets = {
        "a": on_nano("the arena does not fit", "the flash does not fit"),
        "b": on_nano("it crashed"),
        "c": on_nano("it crashed"),
        "d": replace(
            on_nano(), verdict=Verdict(results=(Result(check="drop", findings=(unsure,)),))
        ),
        "e": on_nano(),
    }
    budgets = {"the target d": Budgets(max_drop=1), "the target e": Budgets(min_sqnr=5)}
    first, *_ = verdict_clauses(targets, None, budgets)
    assert first == (
        "FAILED on a: the arena does not fit (and 1 more); FAILED on b, c: it crashed; NOT SHOWN on"
        f" d to be within {budget}; passed on 1 of 5"
    )


def test_a_name_in_a_reason_may_contain_braces() -> None:
    assert verdict_line({"a": on_nano("output {0} of y{}: lost")}, None, {}).startswith(
        "FAILED on a: output {0} of y{}: lost; "
    )


def test_the_last_line_repeats_what_warnings_say_without_the_details() -> None:
    notes = [
        "unrolled: lstm",
        "warning: int8 was made from another model: all layers differ; retry",
    ]
    assert verdict_line({}, None, {}, notes=notes).endswith(
        "no float model to compare with; warning: int8 was made from another model"
    )
