"""Validation: isolated parallel interpreters, deviations from reference kernels, verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import AVAILABLE, Bundle

from edgepack.checks import FILE_CHECKS, RUN_CHECKS, Evidence, documentation, judge
from edgepack.config.budgets import Budgets
from edgepack.core.packages import Package
from edgepack.core.progress import ignore
from edgepack.devices.target import load_target, target_names
from edgepack.evaluation.deviation import (
    Deviation,
    compare_with_reference_kernels,
    output_deviation,
)
from edgepack.evaluation.results import Change, Interval
from edgepack.evaluation.scores import Comparison, OutputComparison, Score
from edgepack.footprint import Arena, Footprint
from edgepack.footprint.flash import runtime_flash_bytes
from edgepack.pipeline.steps.check import judge_targets
from edgepack.report.text.target import render_targets
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Graph, Model, QuantParams, Tensor

NUMPY = Package(distribution="numpy", module="numpy", lost="")
CRASHER = Runtime(name="crasher", package=NUMPY, module="crasher")
OUTPUT = Tensor(
    name="out",
    shape=(1, 2),
    dtype="int8",
    quant=QuantParams(scale=(1 / 256,), zero_point=(-128,)),
    data=b"",
)
MODEL = Model(subgraphs=(Graph(tensors=(OUTPUT,), operators=(), inputs=(), outputs=(0,)),))


def run(cnn: Bundle, tmp_path: Path, *runtimes: Runtime) -> dict[str, Run]:
    inputs = np.random.default_rng(0).integers(-128, 128, (7, 8, 8, 1), np.int8)
    with interpreters(runtimes) as running:
        return running.run(
            model=cnn.folder / "int8.tflite",
            inputs={"image": inputs},
            outputs=["scores"],
            work=tmp_path,
            update=ignore,
        )


def test_a_crash_is_reported_with_its_signal_and_the_others_go_on(
    cnn: Bundle, tmp_path: Path
) -> None:
    alone = run(cnn, tmp_path, RUNTIMES["tflm"])
    runs = run(cnn, tmp_path, CRASHER, RUNTIMES["tflm"])
    assert runs["crasher"].failure == "crasher was killed by SIGSEGV in the step 'run'"
    assert runs["crasher"].outputs is None
    expected, outputs = (each["tflm"].outputs for each in (alone, runs))
    assert expected is not None
    assert outputs is not None
    np.testing.assert_array_equal(outputs["scores"], expected["scores"])
    assert outputs["scores"].shape == (7, 3)


def test_samples_shared_by_processes_come_back_in_order(
    cnn: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = []
    for cores in (1, 3, 64):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        outputs.append(run(cnn, tmp_path, RUNTIMES["tflm"])["tflm"].outputs["scores"])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_progress_counts_every_sample_of_every_runtime(cnn: Bundle, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with interpreters([RUNTIMES["tflm"], RUNTIMES["litert"]]) as running:
        running.run(
            model=cnn.folder / "int8.tflite",
            inputs={"image": np.zeros((5, 8, 8, 1), np.int8)},
            outputs=["scores"],
            work=tmp_path,
            update=lambda done, total, _detail="": seen.append((done, total)),
        )
    assert max(seen) == (10, 10)


def test_a_file_that_is_not_a_model_is_a_failure_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "int8.tflite").write_bytes(b"hello")
    bundle = Bundle(tmp_path, {}, "", "")
    for name, result in run(bundle, tmp_path, *AVAILABLE).items():
        assert result.failure, name
        assert "\n" not in result.failure


def test_deviation_counts_steps_and_samples_of_another_class() -> None:
    reference = np.array([[0, 10], [50, 40], [1, 2]], np.int8)
    outputs = np.array([[1, 10], [39, 40], [1, 2]], np.int8)
    assert output_deviation(outputs, reference, OUTPUT, 0.5) == Deviation(
        max_lsb=11, mean_lsb=2.0, argmax_disagreements=1
    )


def test_a_single_output_changes_class_at_one_half() -> None:
    outputs, reference = np.array([[0], [-1]], np.int8), np.array([[-1], [-2]], np.int8)
    assert output_deviation(outputs, reference, OUTPUT, 0.5).argmax_disagreements == 1


def test_rounding_in_float32_raises_no_doubt() -> None:
    floats = {"out": np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)}
    real = {"out": Tensor(name="out", shape=(1, 2), dtype="float32", quant=None, data=b"")}
    rounded = Run(version="", outputs={"out": floats["out"] * np.float32(1 + 3e-7)})
    runs = {REFERENCE.name: rounded, "litert": Run(version="", outputs=floats)}
    validation = compare_with_reference_kernels(runs, real, floats)
    assert validation.notes == ()
    assert validation.deviations["litert"]["out"].max_lsb < 1


def test_without_the_reference_kernels_nothing_is_claimed() -> None:
    floats = {"out": np.zeros((1, 2), np.float32)}
    runs = {"tflm": Run(version="", outputs={"out": np.zeros((1, 2), np.int8)})}
    failed = runs | {REFERENCE.name: Run(version="", failure="gone")}
    validation = compare_with_reference_kernels(failed, {"out": OUTPUT}, floats)
    assert validation.deviations == {}
    assert validation.runs.keys() == {"tflm"}
    (note,) = validation.notes
    assert note.endswith("gone")
    assert compare_with_reference_kernels(runs, {"out": OUTPUT}, floats).notes == ()


def test_reference_kernels_that_alone_are_far_from_float_are_in_doubt() -> None:
    floats = {"out": np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)}
    right = Run(version="", outputs={"out": np.array([[-63, 63], [1, 0]], np.int8)})
    wrong = Run(version="", outputs={"out": np.array([[63, -63], [90, -90]], np.int8)})

    doubted = compare_with_reference_kernels(
        {REFERENCE.name: wrong, "tflm": right, "litert": right}, {"out": OUTPUT}, floats
    )
    assert doubted.deviations == {}
    assert "they are in doubt: their SQNR against the float model is" in doubted.notes[0]
    assert "tflm reaches" in doubted.notes[0]

    for runs in ({"tflm": wrong, "litert": right}, {"tflm": wrong}):
        trusted = compare_with_reference_kernels(
            {REFERENCE.name: right} | runs, {"out": OUTPUT}, floats
        )
        assert trusted.deviations["tflm"]["out"].max_lsb == 126
        assert trusted.notes == ()


def reasons_for(name: str = "nano-33-ble-sense", **evidence: Any) -> tuple[str, ...]:
    """Return the reasons why a small model fails on a target, for this evidence."""
    defaults = {"model": MODEL, "model_bytes": 1000}
    return judge(load_target(name), Evidence(**(defaults | evidence))).reasons


def footprints(arena_bytes: int) -> dict[str, Footprint]:
    arena = Arena(
        planned=arena_bytes, persistent=0, scratch=0, total=arena_bytes, least=arena_bytes
    )
    return {
        "cmsis-nn-dsp": Footprint(
            arena=arena,
            runtime_flash_bytes=0,
            runtime_ram_bytes=0,
            flash_bytes=0,
            ram_bytes=arena_bytes,
            notes=(),
        )
    }


def test_a_target_fails_with_a_reason() -> None:
    exact = Deviation(max_lsb=0, mean_lsb=0.0, argmax_disagreements=0)
    off = Deviation(max_lsb=2, mean_lsb=0.1, argmax_disagreements=0)
    assert reasons_for(deviations={"tflm": {"a": exact}}) == ()
    assert reasons_for(deviations={"tflm": {"a": exact, "b": off}}) == (
        "tflm differs from the reference kernels by up to 2 LSB",
    )
    assert reasons_for(runs={"tflm": Run(version="", failure="it broke")}) == (
        "tflm fails: it broke",
    )
    assert reasons_for(footprints=footprints(200_000))[0].startswith(
        "arena and runtime take 200,000 of 183,500 bytes of RAM (the arena 200,000); reduce"
    )


def losing(losses: dict[str, float]) -> Comparison:
    """Compare a model that loses so many points of accuracy on each interpreter."""
    scores = {
        name: Score(
            value=0.9,
            agreement=0.99,
            sqnr_db=30.0,
            max_abs_error=0.1,
            mean_abs_error=0.01,
            change=Change(
                loss=loss,
                interval=Interval(low=loss - 0.15, high=loss + 0.15),
                detectable=0.2,
                p_value=0.01,
            ),
        )
        for name, loss in losses.items()
    }
    output = OutputComparison(metric="accuracy", float_value=0.9, pruned=None, quantized=scores)
    return Comparison(scheme="int8", data="test", samples=400, outputs={"y": output})


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (
            {"max_drop": 0.5},
            "int8 on tflm loses 0.75 points (95% CI: 0.60 to 0.90), more than max_drop 0.5",
        ),
        ({"max_flash": 999}, "bytes of flash, more than max_flash 999 of the command"),
        ({"max_arena": 99}, "the arena takes 100 bytes, more than max_arena 99 of the command"),
        ({"max_latency_ratio": 1.0}, "tflm takes 1.50 of the float model's time"),
    ],
)
def test_a_budget_fails_with_a_reason(limit: dict[str, float], message: str) -> None:
    losses = {"tflm": 0.75, "litert": 9.0}
    evidence: dict[str, Any] = {
        "footprints": footprints(100),
        "closeness": losing(losses).closeness(),
        "latency_ratios": {"tflm": 1.5},
    }
    (reason,) = reasons_for(**evidence, budgets={"the command": Budgets(**limit)})
    assert message in reason
    ample = {name: 2 * number + 50_000 for name, number in limit.items()}
    assert reasons_for(**evidence, budgets={"the command": Budgets(**ample)}) == ()


def test_a_latency_ratio_that_could_not_be_measured_fails_its_budget() -> None:
    timed = {"is_timed": True, "runs": {"tflm": Run(version="")}}
    (reason,) = reasons_for(**timed, budgets={"the command": Budgets(max_latency_ratio=9.0)})
    assert reason.startswith("max_latency_ratio of the command: tflm does not run both models")


def test_a_phone_is_not_judged_by_the_limits_of_microcontrollers() -> None:
    runs = {"tflm": Run(version="", failure="x"), "litert": Run(version="")}
    assert reasons_for("android-arm64", model_bytes=10**9, runs=runs) == ()


def test_flash_includes_the_runtime_whether_or_not_the_model_runs() -> None:
    board = load_target("nano-33-ble-sense")
    runtime = runtime_flash_bytes(MODEL, "cmsis-nn-dsp")
    assert runtime > 10_000
    available = (board.model_flash_bytes or 0) - runtime
    assert reasons_for(model_bytes=available) == ()
    assert reasons_for(model_bytes=available + 1)[0].startswith(
        "model and runtime take 681,575 of 681,574 bytes of flash"
        f" (the model {available + 1:,}); prune"
    )


def test_ram_of_linux_boards_is_the_peak_memory_of_interpreters() -> None:
    runs = {
        "litert": Run(version="", peak_memory_bytes=300 << 20),
        "tflite-runtime": Run(version="", failure="x"),
        "tflm": Run(version="", peak_memory_bytes=900 << 20),
    }
    reasons = reasons_for("raspberry-pi-zero-2-w", runs=runs)
    assert reasons[1].startswith(
        "the interpreter's process takes 314,572,800 of 214,748,364 bytes of RAM, on this machine; "
    )
    assert not any("RAM" in each for each in reasons_for("raspberry-pi-4", runs=runs))
    assert not any("RAM" in each for each in reasons_for("stm32f746", runs=runs))

    names = ("stm32f746", "raspberry-pi-4")
    evidence = Evidence(model=MODEL, model_bytes=1000, runs=runs)
    reports = judge_targets([load_target(name) for name in names], evidence)
    table = render_targets(reports)
    board, pi = (line.split() for line in table.splitlines()[1:3])
    assert board[2:] == [
        f"{1000 + runtime_flash_bytes(MODEL, 'cmsis-nn-dsp'):,}",
        "786,432",
        "-",
        "245,760",
        "-",
    ]
    assert pi[2:] == ["1,000", "-", "314,572,800", "429,496,729", "-"]
    assert table.count("in bytes") == 1
    assert table.endswith("RAM the process's peak on this machine")
    assert "314572800" not in str(reports["raspberry-pi-4"].to_dict())


def test_every_check_documents_its_rule() -> None:
    assert all(rule.endswith(".") for rule in documentation().values())
    assert len(documentation()) == len(FILE_CHECKS) + len(RUN_CHECKS)


def test_every_target_has_an_interpreter() -> None:
    assert all(load_target(name).interpreters for name in target_names())
