"""``edgepack compare``: float and int8 models on the same samples, on real interpreters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Bundle, Edgepack, only, python

import edgepack as api
from edgepack.config.budgets import Budgets
from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import NamedModel
from edgepack.core.errors import EdgepackError
from edgepack.report.data.compare import CompareReport


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def config(digits: Path, pruned_digits: Bundle) -> CompareConfig:
    return CompareConfig(
        model=digits / "digits.h5",
        candidates=(NamedModel(path=pruned_digits.folder / "int8.tflite"),),
        test=digits / "test.npz",
    )


@pytest.fixture(scope="session")
def report(config: CompareConfig) -> CompareReport:
    return api.compare(config)


def test_scores_equal_those_of_the_export(report: CompareReport, pruned_digits: Bundle) -> None:
    exported = only(pruned_digits.report)
    float_stage, pruned, quantized = report.stages
    assert [stage.role for stage in report.stages] == ["float", "pruned", "quantized"]

    def accuracy(stage: Any, runtime: str) -> float:
        (output,) = stage.runs[runtime].outputs.values()
        return float(output.metrics["accuracy"].value)

    assert accuracy(float_stage, report.float_runtime) == exported["float"]
    assert accuracy(pruned, "litert") == pytest.approx(exported["pruned"]["value"], abs=0.003)
    assert quantized.runs.keys() == exported["int8"].keys()
    for runtime, score in exported["int8"].items():
        assert accuracy(quantized, runtime) == score["value"]
        (output,) = quantized.runs[runtime].outputs.values()
        assert output.distance is not None
        assert output.distance.agreement == score["agreement"]
        assert output.distance.sqnr_db == pytest.approx(score["sqnr_db"])
        assert output.distance.max_abs_error == pytest.approx(score["max_abs_error"])


def test_repeating_a_comparison_needs_no_worker(
    config: CompareConfig, report: CompareReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("edgepack.workers.client.subprocess.Popen", refuse)
    assert api.compare(config) == report


def test_other_labels_change_the_result(
    config: CompareConfig, report: CompareReport, digits: Path, tmp_path: Path
) -> None:
    arrays = dict(np.load(digits / "test.npz"))
    np.savez(tmp_path / "test.npz", x=arrays["x"], y=(arrays["y"] + 1) % 10)
    wrong = api.compare(CompareConfig(**{**vars(config), "test": tmp_path / "test.npz"}))
    (output,) = wrong.stages[0].runs[wrong.float_runtime].outputs.values()
    assert output.metrics["accuracy"].value is not None
    assert output.metrics["accuracy"].value < 0.2
    assert report.stages[0] != wrong.stages[0]


def test_the_command_prints_a_table_and_a_verdict(
    edgepack: Edgepack, digits: Path, pruned_digits: Bundle
) -> None:
    paths = (digits / "digits.h5", pruned_digits.folder / "int8.tflite")
    done = edgepack("compare", *paths, "--test", digits / "test.npz")
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    for word in ("float", "pruned", "int8", "litert", "tflm", "accuracy", "95% CI"):
        assert word in done.stdout
    assert "400 samples" in done.stdout.splitlines()[-1] + done.stdout.splitlines()[-2]


def test_a_budget_decides_the_exit_status(
    edgepack: Edgepack, digits: Path, pruned_digits: Bundle
) -> None:
    paths = (digits / "digits.h5", pruned_digits.folder / "int8.tflite")
    done = edgepack("compare", *paths, "--test", digits / "test.npz", "--max-drop", 100)
    assert done.returncode == 0, done.stderr
    shuffled = digits / "shuffled.npz"
    arrays = dict(np.load(digits / "test.npz"))
    np.savez(shuffled, x=arrays["x"] * 4, y=arrays["y"])  # beyond the calibrated range
    done = edgepack("compare", *paths, "--test", shuffled, "--max-drop", 0)
    again = edgepack("compare", *paths, "--test", shuffled, "--max-drop", 0, "--json")
    printed = json.loads(again.stdout)
    losses = [
        output["metrics"]["accuracy"]["change"]["loss"]
        for stage in printed["stages"][1:]
        for run in stage["runs"].values()
        for output in run["outputs"].values()
    ]
    assert max(losses) > 0
    assert done.returncode == (1 if printed["verdict"] == "failed" else 4)


def test_a_budget_of_the_project_file_applies_too(
    config: CompareConfig, report: CompareReport, tmp_path: Path
) -> None:
    file = tmp_path / "edgepack.toml"
    file.write_text("[budgets]\nmax_drop = 99.0\n")
    comparison = api.compare(CompareConfig(**{**vars(config), "project_file": file}))
    assert (comparison.budgets[str(file)].max_drop, comparison.passed) == (99.0, True)
    with_own_budget = api.compare(
        CompareConfig(**{**vars(config), "project_file": file, "budgets": Budgets(max_drop=98.0)})
    )
    assert with_own_budget.budgets == {"the command": Budgets(max_drop=98.0)}
    assert report.budgets == {}


def test_a_max_drop_needs_something_to_measure(
    config: CompareConfig, digits: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "test.npz", x=np.load(digits / "test.npz")["x"])
    with pytest.raises(EdgepackError, match="the test data has no labels, so there is nothing"):
        api.compare(
            CompareConfig(
                **{**vars(config), "test": tmp_path / "test.npz", "budgets": Budgets(max_drop=1.0)}
            )
        )


def test_without_labels_the_distance_of_outputs_is_reported(
    config: CompareConfig, digits: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "test.npz", x=np.load(digits / "test.npz")["x"])
    comparison = api.compare(CompareConfig(**{**vars(config), "test": tmp_path / "test.npz"}))
    assert comparison.metrics == {}
    (output,) = comparison.stages[-1].runs["tflm"].outputs.values()
    assert output.metrics == {}
    assert output.distance is not None
    assert output.distance.agreement is not None
    assert output.worst


WRONG = {
    "no such file": (
        "no such .tflite file",
        {"candidates": (NamedModel(path=Path("none.tflite")),)},
    ),
    "one fold": ("folds 1", {"folds": 1}),
    "no candidate": ("nothing to compare", {"candidates": ()}),
    "no metric of that name": ("unknown metric 'acuracy'", {"metric": "acuracy"}),
    "no such target": ("esp99", {"targets": ("esp99",)}),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings_give_a_message_of_one_line(config: CompareConfig, case: str) -> None:
    message, settings = WRONG[case]
    with pytest.raises(EdgepackError) as caught:
        api.compare(CompareConfig(**{**vars(config), **settings}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_quantized_file_is_refused_as_float_model(config: CompareConfig) -> None:
    (candidate,) = config.candidates
    with pytest.raises(EdgepackError, match="is quantized already"):
        api.compare(CompareConfig(**{**vars(config), "model": candidate.path}))


def test_a_model_of_another_shape_is_refused(config: CompareConfig, cnn: Bundle) -> None:
    other = NamedModel(path=cnn.folder / "int8.tflite")
    with pytest.raises(EdgepackError, match="made from the same one"):
        api.compare(CompareConfig(**{**vars(config), "candidates": (other,)}))


def test_files_of_the_same_name_need_names(
    config: CompareConfig, pruned_digits: Bundle, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(pruned_digits.folder / "int8.tflite", tmp_path / name)
    files = [tmp_path / name / "int8.tflite" for name in ("a", "b")]
    with pytest.raises(EdgepackError, match=f"name them, such as mine={files[1]}"):
        api.compare(
            CompareConfig(
                **{**vars(config), "candidates": tuple(NamedModel(path=f) for f in files)}
            )
        )
    named = tuple(NamedModel(path=file, name=file.parent.name) for file in files)
    comparison = api.compare(CompareConfig(**{**vars(config), "candidates": named}))
    assert [stage.name for stage in comparison.stages] == ["float", "a", "b"]
    assert comparison.stages[1].runs == comparison.stages[2].runs


def test_memory_does_not_grow_with_the_samples(
    digits: Path, pruned_digits: Bundle, tmp_path: Path
) -> None:
    arrays = np.load(digits / "test.npz")
    code = (
        "import resource, sys; from edgepack.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    peaks = []
    for count in (1_000, 10_000):
        chosen = np.arange(count) % len(arrays["x"])
        path = tmp_path / f"{count}.npz"
        np.savez(path, x=arrays["x"][chosen], y=arrays["y"][chosen])
        done = python(
            *("-c", code, "compare", pruned_digits.folder / "float.tflite"),
            *(pruned_digits.folder / "int8.tflite", "--test", path, "--no-cache"),
            *("--target", "android-arm64"),
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.splitlines()[-1]))
    assert peaks[1] <= 1.05 * peaks[0]
