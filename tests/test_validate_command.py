"""``edgepack validate``: will the file run on the device? A gate for CI."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import (
    BIT_EXACT,
    HAS_TFLITE_RUNTIME,
    INTERPRETERS,
    PHONE,
    Bundle,
    Edgepack,
    lsb,
    python,
)
from tiny import Value, lstm_with_float, one_operator

from edgepack import ValidateConfig, validate
from edgepack.cli import cli
from edgepack.cli.options import selected_targets
from edgepack.devices.target import load_target, target_names
from edgepack.report.text.target import render_findings


@pytest.fixture(scope="module")
def digits_report(pruned_digits: Bundle, digits: Path) -> dict:
    """The digits model on every target, with its test data."""
    done = python(
        *("-m", "edgepack", "validate", pruned_digits.folder / "int8.tflite", "--target", "all"),
        *("--test", digits / "test.npz", "--format", "json"),
    )
    assert done.returncode == (0 if HAS_TFLITE_RUNTIME else 3), done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_good_model_passes_on_every_target(digits_report: dict) -> None:
    assert digits_report["passed"] == HAS_TFLITE_RUNTIME
    assert list(digits_report["targets"]) == target_names()
    for name, found in digits_report["targets"].items():
        is_checked = load_target(name).interpreters.keys() <= INTERPRETERS
        assert found["verdict"] == ("passed" if is_checked else "not checked")
    assert all(found["failure"] is None for found in digits_report["runtimes"].values())


def test_it_is_compared_with_the_float_model_that_lies_beside_it(
    digits_report: dict, pruned_digits: Bundle
) -> None:
    (output,) = digits_report["comparison"]["outputs"].values()
    (exported,) = pruned_digits.report["comparison"]["outputs"].values()
    assert output["metric"] == "accuracy"
    for name, score in exported["int8"].items():
        assert output["int8"][name]["value"] == score["value"]
    assert lsb(digits_report, "tflm") == BIT_EXACT


def test_time_and_memory_are_told_as_this_machines(
    digits_report: dict, edgepack: Edgepack, pruned_digits: Bundle
) -> None:
    for name in INTERPRETERS:
        runtime = digits_report["runtimes"][name]
        assert 0 < runtime["latency"]["median_ms"] <= runtime["latency"]["p90_ms"]
        assert runtime["latency"]["threads"] == 1
        assert runtime["latency_ratio"] > 0
        assert runtime["peak_memory_bytes"] > 1 << 20
    done = edgepack("validate", pruned_digits.folder / "int8.tflite", *TARGETS)
    assert "time and memory are this machine's, not a device's" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "RUNS on 2 targets; what it loses was not measured: it ran on random inputs; warning:"
        " float.tflite is the model after it was pruned"
    )


def test_a_budget_that_does_not_hold_ends_with_status_1(
    edgepack: Edgepack, pruned_digits: Bundle, digits: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgepack.toml").write_text("[budgets]\nmax_arena = 100\n")
    done = edgepack(
        *("validate", pruned_digits.folder / "int8.tflite", "--target", "stm32l4r5zi"),
        *("--target", "android-arm64"),
        *("--test", digits / "test.npz", "--config", tmp_path / "edgepack.toml"),
        *("--max-flash", 1000, "--max-drop", 50, "--format", "junit"),
    )
    assert done.returncode == 1
    suite, phone = ElementTree.fromstring(done.stdout)
    failed = {
        case.get("name"): failure.get("message", "")
        for case in suite
        if (failure := case.find("failure")) is not None
    }
    assert failed.keys() == {"flash_is_in_budget", "arena_is_in_budget"}
    assert "more than max_flash 1,000 of the command" in failed["flash_is_in_budget"]
    assert "edgepack.toml" in failed["arena_is_in_budget"]
    skipped = {case.get("name") for case in suite if case.find("skipped") is not None}
    assert skipped == {
        *("operators_are_taken", "gpu_takes_all", "xnnpack_takes_all", "npu_takes_all"),
        *("npu_plan_fits", "latency_is_in_budget", "outputs_are_not_lost"),
        *("class_drop_is_in_budget", "agreement_is_in_budget", "sqnr_is_in_budget"),
        "micro_is_bit_exact",  # the flash rules the target out: nothing was run
    }
    assert suite.get("skipped") == "11"
    notes = {case.get("name"): case.findtext("system-out") for case in phone}
    assert "LiteRT's own kernels run SOFTMAX (softmax)" in str(notes["xnnpack_takes_all"])


def dense(weights: Value, taken: Value, given: Value) -> bytes:
    return one_operator("FULLY_CONNECTED", [taken, weights, None], [given], version=4)


def too_large() -> bytes:
    weights = Value((1300, 1300), "int8", 0.1, values=np.ones((1300, 1300)))
    return dense(weights, Value((1, 1300), "int8", 0.1), Value((1, 1300), "int8", 9.0))


def hybrid(*scales: float) -> bytes:
    weights = Value((2, 4), "int8", scales, values=np.ones((2, 4)))
    return dense(weights, Value((1, 4)), Value((1, 2)))


def without_kernel() -> bytes:
    taken, many = Value((1, 4), "int8", 0.1), Value((2,), "int32", values=[1, 2])
    return one_operator("TILE", [taken, many], [Value((1, 8), "int8", 0.1)])


TARGETS = ("--target", PHONE, "--target", "nano-33-ble-sense")
"""Targets whose interpreters are all available."""

REASONS = {
    "too large": (too_large, "rp2040", "flash_fits", "of 1,572,864 bytes of flash"),
    "float left in an LSTM": (
        *(lstm_with_float, "stm32l4r5zi", "nothing_is_left_in_float"),
        "SPLIT, LOGISTIC compute in float, 2 of 5 operators",
    ),
    "no kernel in TFLM": (
        *(without_kernel, "stm32l4r5zi", "operators_are_known", "does not support TILE"),
    ),
    "newer than tflite-runtime": (
        *(partial(hybrid, 0.1, 0.2), "linux-arm64", "operators_are_known"),
        "FULLY_CONNECTED is needed in version 12; tflite-runtime 2.14.0 supports it up to 10",
    ),
    "hybrid": (
        *(partial(hybrid, 0.1), "stm32l4r5zi", "combinations_are_run"),
        "FULLY_CONNECTED with float activations and integer weights (hybrid",
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_fails_for_its_own_reason(reason: str, tmp_path: Path) -> None:
    make, target, check, said = REASONS[reason]
    (tmp_path / "model.tflite").write_bytes(make())
    report = validate(ValidateConfig(model=tmp_path / "model.tflite", targets=(target,)))
    assert report.exit_status == 1
    (verdict,) = (found.verdict for found in report.targets.values())
    failed = {
        result.check: str(result.failures[0]) for result in verdict.results if result.failures
    }
    assert said in failed[check]
    others = failed.keys() - {check, "interpreters_run", "nothing_is_left_in_float"}
    assert not others


def test_one_finding_of_many_targets_is_told_once_with_its_layers_in_short_lines(
    tmp_path: Path,
) -> None:
    (tmp_path / "model.tflite").write_bytes(lstm_with_float())
    report = validate(
        ValidateConfig(
            model=tmp_path / "model.tflite", targets=("stm32l4r5zi", "rp2040", "esp32-s3")
        )
    )
    text = render_findings(report.targets)
    assert max(map(len, text.splitlines())) <= 100
    expected = (
        "FAILED  stm32l4r5zi, rp2040, esp32-s3: SPLIT, LOGISTIC compute in float, 2 of 5"
        " operators; the target requires integers throughout (lstm/lstm_cell/splita,"
        " lstm/lstm_cell/Sigmoid); leave"
    )
    assert expected.split() == text.split()[: len(expected.split())]


@pytest.mark.parametrize("command", ["export", "quantize", "validate"])
def test_every_command_takes_all_targets(command: str) -> None:
    (option,) = [each for each in cli.commands[command].params if each.name == "targets"]
    assert "all for every target" in str(getattr(option, "help", ""))
    assert selected_targets(["all", "rp2040"], ()) == tuple(target_names())


def test_annotations_of_github_are_one_a_line(edgepack: Edgepack, pruned_digits: Bundle) -> None:
    done = edgepack(
        *("validate", pruned_digits.folder / "int8.tflite", "--target", "rp2040"),
        *("--max-flash", 1000, "--format", "github"),
    )
    assert done.returncode == 1
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    assert error.startswith("::error title=int8.tflite on rp2040::")
    assert "bytes of flash, more than max_flash 1,000 of the command" in error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-drop", "1"), "max_drop of the command: there is nothing to measure a drop with"),
        (("--max-drop", "-1"), "max_drop -1.0: must be 0 or greater"),
        (("--metric", "accuracy"), "metric 'accuracy' needs samples to measure: give --test"),
        (("--target", "toaster"), "unknown target 'toaster'"),
        (("--jobs", "0"), "jobs 0: must be at least 1"),
        (("--time-limit", "0"), "time limit 0 s: must be above 0"),
        (("--memory-limit", "1"), "memory limit 1 MiB: an interpreter needs"),
        (("--float", "gone.tflite"), "gone.tflite: no such .tflite file"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    edgepack: Edgepack, pruned_digits: Bundle, options: tuple[str, ...], said: str
) -> None:
    done = edgepack("validate", pruned_digits.folder / "int8.tflite", *options)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.endswith(" s")]
    assert line.startswith("error: ")
    assert said in line


def test_without_a_float_model_nothing_can_drop(
    edgepack: Edgepack, pruned_digits: Bundle, tmp_path: Path
) -> None:
    shutil.copy(pruned_digits.folder / "int8.tflite", tmp_path / "alone.tflite")
    done = edgepack("validate", tmp_path / "alone.tflite", "--max-latency-ratio", 1)
    assert done.returncode == 2
    assert "there is no float model to compare with; give --float" in done.stderr


def test_a_file_without_a_float_model_has_its_own_accuracy(
    edgepack: Edgepack, pruned_digits: Bundle, digits: Path, tmp_path: Path
) -> None:
    shutil.copy(pruned_digits.folder / "int8.tflite", tmp_path / "alone.tflite")
    arguments = ("validate", tmp_path / "alone.tflite", "--test", digits / "test.npz", *TARGETS)
    advice = "the metric is the file's own: give --float to see what quantization lost"
    done = edgepack(*arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    alone = json.loads(done.stdout)
    assert advice in alone["notes"]
    ((output, metric),) = alone["metrics"].items()
    assert metric == "accuracy"
    (exported,) = pruned_digits.report["comparison"]["outputs"].values()
    for name, score in exported["int8"].items():
        assert alone["runtimes"][name]["values"] == {output: score["value"]}
    text = edgepack(*arguments).stdout
    assert "accuracy" in text.partition("interpreter ")[2].splitlines()[0]
    page = edgepack(*arguments, "--format", "markdown").stdout
    assert "| accuracy |" in page
    done = edgepack(*arguments, "--float", pruned_digits.folder / "float.tflite")
    assert done.returncode == 0, done.stderr
    assert advice not in done.stdout


def test_a_file_that_is_not_what_its_manifest_says_does_not_pass(
    edgepack: Edgepack, pruned_digits: Bundle, tmp_path: Path
) -> None:
    shutil.copytree(pruned_digits.folder, tmp_path / "bundle")
    path = tmp_path / "bundle" / "int8.tflite"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    done = edgepack("validate", path)
    assert done.returncode == 1
    assert "is not the file that manifest.json beside it lists" in done.stderr


def test_a_damaged_file_is_refused_in_one_line(edgepack: Edgepack, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"\0\0\0\0TFL3" + b"\xff" * 40)
    done = edgepack("validate", tmp_path / "x.tflite")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'x.tflite'}: damaged .tflite file")


def test_an_interpreter_that_is_not_installed_ends_with_status_3(
    pruned_digits: Bundle,
) -> None:
    """The runtime's module is hidden: that it is found is what tells that it is installed."""
    hide = (
        "import sys; from edgepack.core import packages; found = packages.find_spec;"
        " packages.find_spec = lambda name: None if name == 'tflite_runtime' else found(name);"
    )
    path = pruned_digits.folder / "int8.tflite"
    code = f"{hide} sys.argv[1:] = ['validate', {str(path)!r}, '--target', 'android-arm64'];"
    done = python("-c", code + "from edgepack.cli import main; main()")
    assert done.returncode == 3
    assert "not checked  android-arm64: tflite-runtime is not installed" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(
        "NOT CHECKED on android-arm64 (tflite-runtime is not installed); "
    )
