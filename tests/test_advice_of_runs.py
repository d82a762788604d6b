"""Files, budgets, folds and models of a run that are refused are accepted as advised."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_folds
from convolutions import BOARD, PHONE, validated
from export_reports import EXPORT
from phones import phone_model, value
from report_differences import Write
from test_metrics import SCORES, dataset
from test_random_inputs import model as model_of
from test_validate import reasons_for
from tiny import Value, one_operator

from edgepack import PhoneConfig, phone
from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.pruning.settings import Prune
from edgepack.compression.training.task import Training
from edgepack.config.budgets import Budgets
from edgepack.config.compression_step import FineTune, Schedule
from edgepack.config.diff import DiffConfig
from edgepack.config.export import ExportConfig
from edgepack.config.firmware import NamedModel
from edgepack.config.study import StudyConfig
from edgepack.core.errors import ConfigError, ModelError, ReportError, TargetError
from edgepack.core.signature import Signature
from edgepack.core.user_files import read_user_text
from edgepack.metrics import choose_measures
from edgepack.metrics.metric import Measure
from edgepack.pipeline.comparison import folds
from edgepack.pipeline.comparison.candidates import _names
from edgepack.pipeline.comparison.compare import compare
from edgepack.pipeline.diff import diff
from edgepack.pipeline.steps.check import require_float_model, require_measurable
from edgepack.quantization.layer_patterns import _no_match
from edgepack.report.differences.read_report import read_json
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.runtimes.run_result import Run
from edgepack.runtimes.supported_operators import version_key
from edgepack.storage.text_files import write_json


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda _: None, "no such file; check the path"),
        (lambda path: path.mkdir(), "is a folder; give a file"),
        (lambda path: path.write_bytes(b"\xff"), "save it as UTF-8"),
        (lambda path: path.write_bytes("caf".encode("utf-16")), "save it as UTF-8"),
        (lambda path: path.write_bytes(b"PK\0\xff"), "is not a text file; give a file"),
        (
            lambda path: (path.touch(), os.truncate(path, 1 << 27)),
            "is larger than 64 MiB; give a file",
        ),
    ],
)
def test_files_are_read_as_advised(tmp_path: Path, make: Any, advice: str) -> None:
    make(tmp_path / "bad")
    with pytest.raises(ConfigError, match=advice):
        read_user_text(tmp_path / "bad", ConfigError, "file")
    (tmp_path / "good").write_text("caf\N{LATIN SMALL LETTER E WITH ACUTE}", encoding="utf-8")
    assert read_user_text(tmp_path / "good", ConfigError, "file").startswith("caf")


def test_a_report_is_given_as_json(tmp_path: Path) -> None:
    np.savez(tmp_path / "report.npz", x=np.float32(-1.1))
    with pytest.raises(ReportError, match=r"is not a text file; give a report\.json"):
        read_json(tmp_path / "report.npz")
    (tmp_path / "report.json").write_text("{}")
    read_json(tmp_path / "report.json")


def test_a_model_that_is_a_pipe_is_given_as_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is a pipe, a socket or a device; give a file"):
        phone(PhoneConfig(model=tmp_path / "pipe", output=tmp_path / "out"))
    (tmp_path / "file.tflite").write_bytes(phone_model("m", [value((3,), "float32")]).data)
    phone(PhoneConfig(model=tmp_path / "file.tflite", output=tmp_path / "out"))


LABELLED = choose_measures(
    None, dataset([0, 1], SCORES), Signature(inputs=(), outputs=(SCORES,))
).values()
RECONSTRUCTED = choose_measures(
    "reconstruction-mse", dataset(None, SCORES), Signature(inputs=(), outputs=(SCORES,))
).values()


@pytest.mark.parametrize(
    ("budgets", "tested", "advice", "followed"),
    [
        (
            {"max_drop": 1},
            True,
            "add them, as 'y' or under the outputs' names, or choose --metric reconst",
            LABELLED,
        ),
        ({"max_drop": 1}, True, "or choose --metric reconstruction-mse", RECONSTRUCTED),
        ({"max_drop": 1}, False, "give --test, with labels or with --metric rec", LABELLED),
        ({"max_drop": 1}, False, "or with --metric reconstruction-mse", RECONSTRUCTED),
        ({"max_class_drop": 1}, False, "give --test with class labels", LABELLED),
    ],
)
def test_drops_are_measured_as_advised(
    budgets: dict[str, float], *, tested: bool, advice: str, followed: list[Measure]
) -> None:
    set_for = {"the command": Budgets(**budgets)}
    with pytest.raises(ConfigError, match=advice):
        require_measurable(set_for, [], [], is_tested=tested)
    require_measurable(set_for, [], followed, is_tested=True)


def test_closeness_is_measured_with_data_and_a_float_model() -> None:
    set_for = {"the command": Budgets(min_sqnr=20)}
    with pytest.raises(ConfigError, match="give --test"):
        require_measurable(set_for, [], [], is_tested=False, is_real_data=False)
    require_measurable(set_for, [], [], is_tested=True)
    with pytest.raises(ConfigError, match="there is no float model to compare with; give --float"):
        require_float_model(set_for, [])


def test_a_float_model_of_the_same_shapes_is_compared(tmp_path: Path) -> None:
    int8 = Value((1, 4), "int8", 0.1)
    for name, size in (("right", 4), ("wrong", 5)):
        real = Value((1, size))
        (tmp_path / f"{name}.tflite").write_bytes(one_operator("ABS", [real], [real]))
    data = one_operator("ABS", [int8], [int8])
    config = {"targets": (BOARD,), "budgets": Budgets(min_sqnr=20)}
    np.savez(tmp_path / "test.npz", x=np.ones((4, 4), np.float32))
    with pytest.raises(ConfigError, match="no float model to compare with; give --float"):
        validated(data, tmp_path, test=tmp_path / "test.npz", **config)
    with pytest.raises(ModelError, match="give the float model that it was made from"):
        validated(data, tmp_path, float_model=tmp_path / "wrong.tflite", targets=(BOARD,))
    with pytest.raises(ConfigError, match="metric 'mse' needs samples to measure: give --test"):
        validated(data, tmp_path, metric="mse", targets=(BOARD,))
    np.savez(tmp_path / "test.npz", x=np.ones((4, 4), np.float32), y=np.ones((4, 4)))
    report = validated(
        data,
        tmp_path,
        test=tmp_path / "test.npz",
        metric="mse",
        float_model=tmp_path / "right.tflite",
        **config,
    )
    assert report.comparison is not None


def test_an_arena_is_limited_on_a_microcontroller(tmp_path: Path) -> None:
    int8 = Value((1, 4), "int8", 0.1)
    data, budgets = one_operator("ABS", [int8], [int8]), Budgets(max_arena=20000)
    with pytest.raises(ConfigError, match="name a microcontroller"):
        validated(data, tmp_path, targets=(PHONE,), budgets=budgets)
    validated(data, tmp_path, targets=(BOARD,), budgets=budgets)


def test_bits_are_chosen_as_advised() -> None:
    study = partial(StudyConfig, model=Path("m.h5"), test="test.npz", output=Path("o"))
    for bits in (1, 99):
        with pytest.raises(ConfigError, match="choose 2 to ") as error:
            study(bits=(bits,))
    last = int(re.findall(r"\d+", str(error.value))[-1])
    study(bits=(2, last))


def test_a_schedule_ends_in_training_as_advised() -> None:
    late = Prune(fine_tune=FineTune(schedule=Schedule(end_step=90)))
    with pytest.raises(ModelError, match="train for more epochs or choose earlier steps"):
        PruningPlan(late, 50)._complete_schedule()
    PruningPlan(late, 90)._complete_schedule()
    earlier = Prune(fine_tune=FineTune(schedule=Schedule(end_step=40)))
    PruningPlan(earlier, 50)._complete_schedule()


def test_samples_remain_to_train_on_as_advised() -> None:
    task = Training(
        source="t.npz",
        inputs={"x": np.ones((1, 2))},
        labels={},
        losses={},
        settings=FineTune(patience=2),
        compiled={},
        fingerprint="",
    )
    with pytest.raises(ConfigError, match="provide more, or leave out the patience"):
        task.steps(1)
    assert replace(task, inputs={"x": np.ones((2, 2))}).steps(1) > 0
    assert replace(task, settings=FineTune()).steps(1) > 0


def test_one_strategy_is_chosen() -> None:
    def config(*strategies: str | None) -> ExportConfig:
        steps = tuple(Prune(fine_tune=FineTune(strategy=each)) for each in strategies)
        return ExportConfig(model=Path("m"), output=Path("o"), train="t.npz", compress=steps)

    with pytest.raises(ConfigError, match="can have only one: choose one"):
        config("mirrored", "multi-worker")
    config("mirrored", "mirrored")


def test_labels_that_fit_two_outputs_are_left_out(tmp_path: Path) -> None:
    two = phone_model("two", [value((3,), "float32"), value((3,), "float32")])
    (tmp_path / "two.tflite").write_bytes(two.data)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    config = PhoneConfig(
        model=tmp_path / "two.tflite", output=tmp_path / "out", labels=tmp_path / "labels.txt"
    )
    with pytest.raises(ConfigError, match="leave the labels out"):
        phone(config)
    phone(replace(config, labels=None))


def test_two_models_are_named_apart() -> None:
    a, b = NamedModel(path=Path("a/int8.tflite")), NamedModel(path=Path("b/int8.tflite"))
    with pytest.raises(ConfigError, match=r"name them, such as mine=b/int8\.tflite"):
        _names([a, b])
    assert _names([a, replace(b, name="mine")]) == ["int8", "mine"]


def test_the_advised_name_is_not_taken_yet() -> None:
    a = NamedModel(path=Path("a/int8.tflite"), name="mine")
    b = NamedModel(path=Path("b/int8.tflite"), name="mine")
    with pytest.raises(ConfigError, match=r"called 'mine': .* such as mine2=b/int8\.tflite"):
        _names([a, b, NamedModel(path=Path("c/float16.tflite"))])
    assert _names([a, replace(b, name="mine2")]) == ["mine", "mine2"]


@pytest.mark.parametrize("name", ["a", "b"])
def test_folds_are_left_out_where_nothing_is_calibrated(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = {"a": {"samples": "all"}, "b": {"ranges": {"name": "ranges.json"}}}[name]
    monkeypatch.setattr(folds, "find_origin", lambda _: test_folds.recorded_origin(**recorded))
    path = tmp_path / "float.tflite"
    path.write_bytes(one_operator("RELU", [Value((1, 4))], [Value((1, 4))]))
    np.savez(tmp_path / "test.npz", x=np.ones((4, 4), np.float32))
    config = test_folds.config(path, path, tmp_path / "test.npz", targets=(PHONE,))
    with pytest.raises(ConfigError, match="leave the folds out"):
        compare(config)
    compare(replace(config, folds=None))


def test_folds_without_labels_have_another_metric(tmp_path: Path) -> None:
    path, x = tmp_path / "float.tflite", np.random.default_rng(0).normal(size=(24, 4))
    path.write_bytes(one_operator("RELU", [Value((1, 4))], [Value((1, 4))]))
    np.savez(tmp_path / "test.npz", x=x)
    config = test_folds.config(path, path, tmp_path / "test.npz", targets=(PHONE,), is_cached=False)
    with pytest.raises(ConfigError, match="give them in 'y', or choose the metric 'reconstruct"):
        compare(config)
    assert compare(replace(config, metric="reconstruction-mse")).folds is not None


def test_reports_are_compared_as_advised(tmp_path: Path, write_report: Write) -> None:
    good = write_report("a", EXPORT)
    content = EXPORT.to_dict()
    for bad, advice in (
        (content | {"schema": 99}, "compare with the version of edgepack that wrote it"),
        ({"schema": 1, "comparison": {}}, "compare reports of the same kind"),
        ({"schema": 1}, "give their folder, report.json or JSON"),
    ):
        write_json(tmp_path / "bad.json", bad)
        with pytest.raises(ReportError, match=advice):
            diff(DiffConfig(a=good, b=tmp_path / "bad.json"))
    write_json(tmp_path / "json.json", content)
    for other in (good, good / "report.json", tmp_path / "json.json"):
        assert diff(DiffConfig(a=good, b=other)).rows


def test_inputs_are_drawn_as_advised() -> None:
    model = model_of(("int8", (1, 10**6)))
    with pytest.raises(ModelError, match="give fewer samples, or raise the limit"):
        random_inputs(model, 2, 0, 1 << 20)
    random_inputs(model, 1, 0, 1 << 20)
    random_inputs(model, 2, 0, 1 << 21)


def test_versions_and_layers_are_written_as_advised() -> None:
    with pytest.raises(TargetError, match="write it like 2"):
        version_key("new")
    version_key("2.14.0")
    assert "similar names are conv2d" in _no_match("cnv2d", ["conv2d", "dense"])


def test_preprocessing_is_removed_where_an_app_has_none(tmp_path: Path) -> None:
    for name, inputs, settings, advice in (
        ("a", Value((1, 3), "int64"), "scale = 2", "remove it from the project file"),
        ("b", Value((1, 3)), "resize = [4, 4]", "remove resize, crop and colors"),
    ):
        model, project_file = tmp_path / f"{name}.tflite", tmp_path / f"{name}.toml"
        model.write_bytes(one_operator("RELU", [inputs], [inputs]))
        project_file.write_text(f"[preprocessing]\n{settings}\n")
        config = PhoneConfig(model=model, output=tmp_path / name, project_file=project_file)
        with pytest.raises(ConfigError, match=advice):
            phone(config)
        project_file.write_text("" if name == "a" else "[preprocessing]\nscale = 2\n")
        phone(config)


def test_a_latency_budget_is_removed_or_its_target_is() -> None:
    timed: dict[str, Any] = {"is_timed": True, "runs": {"tflm": Run(version="")}}
    budgets = {"the command": Budgets(max_latency_ratio=9.0)}
    (reason,) = reasons_for(**timed, budgets=budgets)
    assert reason.endswith("does not run both models; remove the budget, or the target")
    assert reasons_for(**timed) == ()
