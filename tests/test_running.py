"""What runs only once or not at all: sessions, slow kernels, targets that are ruled out."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import AVAILABLE, HAS_TFLITE_RUNTIME, PHONE, ROOT, Bundle
from test_candidates import classifier

import edgepack as api
from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import NamedModel
from edgepack.config.validate import ValidateConfig
from edgepack.core.progress import ignore
from edgepack.devices.target import load_targets
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.scores import Comparison, OutputComparison, Sampled, Score
from edgepack.metrics import METRICS, Measure
from edgepack.pipeline.steps.run import (
    Workload,
    find_unneeded_runtimes,
    partial_run_notes,
    run_within_budget,
)
from edgepack.report.text.validate import render_validation
from edgepack.report.text.verdict_line import verdict_line
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime, sample_budget
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.runtimes.run_result import Run
from edgepack.runtimes.sample_budget import affordable_samples, worthwhile_processes
from edgepack.tflite.macs import model_macs
from edgepack.tflite.parser import read_tflite
from edgepack.workers.client import Worker

LITERT, TFLM = RUNTIMES["litert"], RUNTIMES["tflm"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count worker processes by what they serve, and the calls that load a model."""
    counts: Counter[str] = Counter()
    begin, call = Worker.__init__, Worker.start

    def counted(self: Worker, service: str, **arguments: Any) -> None:
        counts[arguments.get("module", service)] += 1
        begin(self, service, **arguments)

    def noted(self: Worker, method: str, **arguments: Any) -> Any:
        counts[method] += method == "load"
        return call(self, method, **arguments)

    monkeypatch.setattr(Worker, "__init__", counted)
    monkeypatch.setattr(Worker, "start", noted)
    return counts


def test_a_comparison_loads_once_reads_once_and_starts_each_interpreter_once(
    digits: Path, pruned_digits: Bundle, tmp_path: Path, started: Counter[str]
) -> None:
    from edgepack.calibration.datasets import reader

    read: Counter[str] = Counter()
    original = reader.read_dataset

    def counted(data: object, *arguments: Any, **options: Any) -> Any:
        read[str(data)] += 1
        return original(data, *arguments, **options)

    config = CompareConfig(
        model=digits / "digits.h5",
        candidates=(NamedModel(path=pruned_digits.folder / "int8.tflite"),),
        test=digits / "test.npz",
        folds=3,
        output=tmp_path / "out",
        is_cached=False,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "read_dataset", counted)
        report = api.compare(config)
    assert report.folds is not None
    assert report.lint is not None
    assert all(stage.validation for stage in report.stages)
    assert read == {str(digits / "test.npz"): 1}
    assert started["load"] == 1
    assert started["edgepack.pipeline.steps.model_service:ModelSession"] == 1
    assert started["edgepack.layer_errors.debug_service:DebugService"] == 1
    modules = {each.module for each in AVAILABLE}
    assert {name: started[name] for name in modules} == dict.fromkeys(modules, 1)


def test_a_runtime_has_more_processes_only_where_there_is_much_to_do() -> None:
    assert worthwhile_processes(TFLM, samples=16, macs=100_000) == 1
    assert worthwhile_processes(TFLM, samples=400, macs=3_000_000) > 1
    assert worthwhile_processes(LITERT, samples=400, macs=3_000_000) == 1
    assert worthwhile_processes(LITERT, samples=10_000, macs=0) > 1


def test_slow_kernels_afford_fewer_samples_of_larger_models_and_fast_ones_all() -> None:
    assert affordable_samples([LITERT, RUNTIMES["tflite-runtime"]], 10**12) is None
    assert affordable_samples([REFERENCE], 0) is None
    few = affordable_samples([REFERENCE, TFLM], 10**9)
    more = affordable_samples([REFERENCE], 10**9)
    assert few is not None
    assert more is not None
    assert 1 <= few < more
    assert affordable_samples([TFLM], 10**15) == 1


def workload(path: Path, samples: int, labels: Any = None) -> Workload:
    path.write_bytes(classifier(0))
    model = read_tflite(path.read_bytes())
    inputs = random_inputs(model, samples, 0, 1 << 20)
    return Workload(path=path, model=model, inputs=inputs, outputs=["y"], labels=labels)


def test_slow_interpreters_run_the_same_samples_stratified_by_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    subject = workload(tmp_path / "m.tflite", len(labels), labels)
    on = [each for each in AVAILABLE if each.name != "tflite-runtime"]
    seconds = 10.5 * model_macs(subject.model) * 1.5e-9
    monkeypatch.setattr(sample_budget, "BUDGET_S", seconds)
    with interpreters() as running:
        whole = running.run(
            model=subject.path,
            inputs=subject.inputs,
            outputs=["y"],
            work=tmp_path,
            update=ignore,
            on=on,
        )
        (tmp_path / "work").mkdir()
        runs = run_within_budget(running, subject, on, tmp_path / "work", ignore)
    assert list(runs) == [each.name for each in on]
    assert runs["litert"].mask is None
    mask = runs["tflm"].mask
    assert mask is not None
    assert runs["tflm"].samples == 10
    assert np.bincount(labels[mask]).tolist() == [6, 3, 1]
    for name, run in runs.items():
        if name != "litert":
            np.testing.assert_array_equal(run.mask, mask)
        assert run.outputs is not None
        assert whole[name].outputs is not None
        every = whole[name].outputs["y"]
        np.testing.assert_array_equal(run.outputs["y"], every if run.mask is None else every[mask])
    (note,) = partial_run_notes(runs, subject, {})
    slow = "the reference kernels and tflm" if REFERENCE in on else "tflm"
    assert note.startswith(f"10 of the 100 samples were run on {slow}")


def test_for_a_ruled_out_target_the_model_is_loaded_but_not_run(
    tmp_path: Path, pruned_digits: Bundle
) -> None:
    tiny = tmp_path / "tiny.toml"
    board = (ROOT / "targets" / "nano-33-ble-sense.toml").read_text()
    tiny.write_text(re.sub(r"(?m)^flash_bytes = .*", "flash_bytes = 4096", board))
    config = ValidateConfig(model=pruned_digits.folder / "int8.tflite", targets=(str(tiny), PHONE))
    report = api.validate(config)
    target = report.targets["tiny"]
    assert not target.verdict.passed
    assert target.footprint is not None
    tflm = report.runtimes["tflm"]
    assert (tflm.failure, tflm.deviations, tflm.latency) == (None, {}, None)
    assert report.runtimes["litert"].latency is not None
    assert (
        "tflm only loaded the model, because tiny fails a check that needs no run" in report.notes
    )
    assert "tflm only loaded" in render_validation(report)
    alone = api.validate(replace(config, targets=(str(tiny),)))
    assert alone.runtimes["tflm"].latency is not None
    assert not [note for note in alone.notes if "loaded" in note]


def test_failed_runs_are_not_reported_as_partial_runs(tmp_path: Path) -> None:
    subject = workload(tmp_path / "m.tflite", 4)
    failed = Run(version="1", failure="no", mask=np.array([True, False, True, False]))
    assert partial_run_notes({"tflm": failed}, subject, {}) == []


def test_progress_ends_when_all_selected_samples_have_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = workload(tmp_path / "m.tflite", 40)
    monkeypatch.setattr(sample_budget, "BUDGET_S", 5.5 * model_macs(subject.model) * 1.5e-9)
    updates: list[tuple[int, int]] = []
    with interpreters() as running:
        run_within_budget(
            running,
            subject,
            [LITERT, TFLM],
            tmp_path,
            lambda done, total, _detail="": updates.append((done, total)),
        )
    assert updates[-1] == (45, 45)


def test_few_samples_are_not_distributed_over_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = workload(tmp_path / "m.tflite", 4)
    with interpreters() as running:
        running.prepare(TFLM, processes=2)
        submit, begun = running._submit, []

        def counted(runtime: Runtime, method: str, **arguments: Any) -> Any:
            begun.append(method)
            return submit(runtime, method, **arguments)

        monkeypatch.setattr(running, "_submit", counted)
        runs = running.run(
            model=subject.path,
            inputs=subject.inputs,
            outputs=["y"],
            work=tmp_path,
            update=ignore,
            on=[TFLM],
        )
    assert begun == ["run"]
    assert runs["tflm"].failure is None


def test_a_metric_that_is_undefined_for_the_float_model_yields_no_drop() -> None:
    score = Score(value=0.5, agreement=None, sqnr_db=3.0, max_abs_error=1.0, mean_abs_error=0.5)
    output = OutputComparison(
        metric="roc-auc",
        float_value=0.9,
        pruned=None,
        quantized={"tflm": score},
        sampled={"tflm": Sampled(samples=3, float_value=None)},
    )
    comparison = Comparison(scheme="int8", data="test", samples=9, outputs={"y": output})
    assert verdict_line({}, comparison, {}) == (
        "RUNS on 0 targets; int8: the ROC-AUC is undefined on 3 samples; int8 on tflm: SQNR 3.0 dB,"
        " max error 1 (9 test samples)"
    )


def test_scores_of_outputs_with_nan_or_infinity_are_not_finite() -> None:
    of_float = np.random.default_rng(0).random((5, 3)).astype(np.float32)
    for odd in (np.inf, np.nan):
        made = of_float.copy()
        made[1, 2] = odd
        score = Evaluator(of_float).score(made, None)
        assert score.sqnr_db is None
        assert not np.isfinite(score.max_abs_error)
        assert not np.isfinite(score.mean_abs_error)
    vast = np.full((2, 3), 1e200)
    with np.errstate(over="ignore"):
        assert Evaluator(vast).score(-vast, None).sqnr_db is None


def test_interpreters_of_targets_that_may_still_pass_are_run(pruned_digits: Bundle) -> None:
    data = (pruned_digits.folder / "int8.tflite").read_bytes()
    targets = load_targets(("android-arm64", "nano-33-ble-sense"))
    on = [REFERENCE, *RUNTIMES.values()]
    assert find_unneeded_runtimes(on, targets, read_tflite(data), len(data), {}) == {}
    out = find_unneeded_runtimes(on, targets, read_tflite(data), 1 << 30, {})
    assert out == {TFLM: ["nano-33-ble-sense"]}
    assert find_unneeded_runtimes(on, [], read_tflite(data), len(data), {}) == {}
    phones = load_targets(("android-arm64",))
    assert find_unneeded_runtimes(on, phones, read_tflite(data), 1 << 60, {}) == {}


def test_a_sampled_interpreter_is_compared_with_float_on_its_own_samples(
    digits: Path, pruned_digits: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_budget, "BUDGET_S", 0.01)
    config = ValidateConfig(model=pruned_digits.folder / "int8.tflite", test=digits / "test.npz")
    report = api.validate(config)
    assert report.comparison is not None
    assert report.comparison == api.validate(config).comparison
    (output,) = report.comparison.outputs.values()
    assert output.sampled.keys() == {"tflm"}
    some = output.sampled["tflm"]
    assert some.samples < report.samples
    assert output.float_value_on("litert") == output.float_value
    assert output.float_value_on("tflm") == some.float_value
    score = output.quantized["tflm"]
    assert score.value is not None
    assert score.change is not None
    assert some.float_value is not None
    assert score.change.loss == pytest.approx(100 * (some.float_value - score.value))
    assert output.closeness("tflm", report.samples).samples == some.samples
    if HAS_TFLITE_RUNTIME:
        (deviation,) = report.runtimes["tflm"].deviations.values()
        assert deviation.max_lsb == 0
    text = render_validation(report)
    assert f"tflm ({some.samples:,} samples)" in text
    assert f"{some.samples:,} of the 400 samples were run on" in " ".join(text.split())
    copied = shutil.copy(config.model, tmp_path / "alone.tflite")  # without its float file
    alone = api.validate(replace(config, model=copied))
    assert alone.runtimes["tflm"].sampled == some.samples
    assert [*alone.runtimes["tflm"].values.values()] == [score.value]
    assert f"tflm ({some.samples:,} samples)" in render_validation(alone)
    (output_json,) = report.comparison.to_dict()["outputs"].values()
    assert output_json["sampled"] == {
        "tflm": {"samples": some.samples, "float_value": some.float_value}
    }


def test_scores_of_a_subset_equal_those_of_a_dataset_with_only_its_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 256)
    random = np.random.default_rng(0)
    of_float, made = random.random((2, 40, 3)).astype(np.float32)
    labels = random.integers(0, 3, 40)
    mask = random.random(40) < 0.3
    measure = Measure(metric=METRICS["accuracy"], wanted=labels)
    found = Evaluator(of_float, [measure]).score(made[mask], None, mask)
    alone = Evaluator(of_float[mask], [replace(measure, wanted=labels[mask])])
    expected = alone.score(made[mask], None)
    assert (found.value, found.agreement) == (expected.value, expected.agreement)
    assert found.max_abs_error == expected.max_abs_error
    assert found.sqnr_db == pytest.approx(expected.sqnr_db)
    assert found.mean_abs_error == pytest.approx(expected.mean_abs_error)
    whole = Evaluator(of_float, [measure])
    assert whole.float_value(mask) == alone.float_value()
    assert whole.value(made, None, mask) == expected.value
