"""Options, files of settings, ranges and targets that are refused are accepted as advised."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from config_files import ARGUMENTS, MANIFEST, refused, run, write_config, write_manifest
from data_folder import TWO
from firmware_projects import NANO
from test_lint import GOOD, LABELS, lint
from test_loss_budgets import closeness
from test_ranges import POOLED
from test_target import GOOD as TARGET
from tiny import Value, one_operator

from edgepack.calibration.activations.ranges import (
    Range,
    load_constants,
    load_ranges,
    save_ranges,
)
from edgepack.checks.loss_budgets import judge_agreement, judge_sqnr
from edgepack.checks.operators import _TYPE_CURES, data_types_are_taken
from edgepack.config.budgets import Budgets
from edgepack.config.firmware import FirmwareConfig, NamedModel
from edgepack.config.project_file import read_project_file
from edgepack.core.errors import CalibrationError, ConfigError, TargetError
from edgepack.devices.target import load_target, parse_target
from edgepack.pipeline.comparison.splits import choose_folds
from edgepack.tflite.parser import read_tflite

STEP = "[[compress]]\ntechnique = 'prune'\n"
IMAGE = "[preprocessing]\nresize = [4, 4]\n"


@pytest.mark.parametrize(
    ("bad", "advice", "good"),
    [
        ("export = 3", "'export' must be a table: write [export]", "[export]\nsamples = 3"),
        ("[export]\nobserve = 'mse'", "did you mean 'observer'?", "[export]\nobserver = 'mse'"),
        (
            "[export]\nn-of-m = '2:4'\nn_of_m = '2:4'\ntrain = 'd.npz'",
            "mean the same; keep one",
            "[export]\nn-of-m = '2:4'\ntrain = 'd.npz'",
        ),
        (
            "[firmware]\npreprocessing = 'a'\nrecipe = 'a'",
            "are the same option; keep one",
            "[firmware]\npreprocessing = 'a'",
        ),
        (
            "[export]\nlayer-sparsity = 'a'",
            "write NAME=VALUE, such as",
            "[export]\nlayer-sparsity = 'a=0.5'",
        ),
        (
            "[export]\nblock = '4:1'",
            "write two whole numbers, such as 4x1",
            "[export]\nblock = '4x1'",
        ),
        (
            "[study]\nbits = '8-2'",
            "write a whole number or two, such as 4 or 2-8",
            "[study]\nbits = '2-8'",
        ),
        ("[study]\nbits = 'x'", "write a whole number or two, such as 4 or", "[study]\nbits = 4"),
        (STEP.replace("prune", "prun"), "did you mean 'prune'?", STEP),
        ("[compress]\ntechnique = 'prune'", "write [[compress]]", STEP),
        ("compress = 3", "write [[compress]]", STEP),
        (
            f"{STEP}[export]\nsparsity = 0.5",
            "write that as another [[compress]]",
            f"{STEP}{STEP}sparsity = 0.5",
        ),
    ],
)
def test_project_files_are_accepted_as_advised(
    project: Path, requests: list[Any], bad: str, advice: str, good: str
) -> None:
    path = write_config(project, bad)
    assert advice in refused("export", *ARGUMENTS, "--config", path)
    write_config(project, good)
    done = run("export", *ARGUMENTS, "--config", path)
    assert len(requests) == 1, done.output


@pytest.mark.parametrize(
    ("bad", "advice", "good"),
    [
        (
            "resize = [4, 4]\nsample_rate = 8000",
            "not both: describe one of them",
            "resize = [4, 4]",
        ),
        ("mean = [1e300]", "give finite numbers, within float32", "mean = [1.0]"),
    ],
)
def test_preprocessing_is_read_as_advised(project: Path, bad: str, advice: str, good: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        read_project_file(write_config(project, f"[preprocessing]\n{bad}"))
    read_project_file(write_config(project, f"[preprocessing]\n{good}"))


def test_preprocessing_names_its_input_as_advised(project: Path) -> None:
    file = read_project_file(write_config(project, "[preprocessing]\nscale = 2"))
    with pytest.raises(ConfigError, match=r"write \[preprocessing.left\] and \[preprocessing.ri"):
        file.described(TWO)
    text = "[preprocessing.left]\nscale = 2\n[preprocessing.right]\nscale = 2"
    assert set(read_project_file(write_config(project, text)).described(TWO)) == {"left", "right"}


FIRMWARE = ("--target", NANO, "--output", "fw")


@pytest.mark.parametrize(
    ("bad", "advice", "good"),
    [
        (
            ("export", *ARGUMENTS, "--epochs", 3),
            "--epochs needs data to fine-tune on: give --train",
            ("export", *ARGUMENTS, "--epochs", 3, "--train", "t.npz"),
        ),
        (
            ("export", *ARGUMENTS, "--train", "t.npz", "--validation-split", 0.2),
            "holds out samples for --patience: give both",
            ("export", *ARGUMENTS, "--train", "t", "--validation-split", 0.2, "--patience", 2),
        ),
        (
            ("export", *ARGUMENTS, "--train", "t.npz", "--patience", 0),
            "wait at least 1 epoch",
            ("export", *ARGUMENTS, "--train", "t.npz", "--patience", 1),
        ),
        (
            ("firmware", "x.tflite", "--labels", "a", "--labels", "b", *FIRMWARE),
            "was given twice; give it once for each model",
            ("firmware", "x.tflite", "--labels", "a", *FIRMWARE),
        ),
        (
            ("firmware", "a=x", "b=y", "--labels", "a=1", "--labels", "a=2", *FIRMWARE),
            "give it once for each model",
            ("firmware", "a=x", "b=y", "--labels", "a=1", "--labels", "b=2", *FIRMWARE),
        ),
        (
            ("firmware", "=x.tflite", *FIRMWARE),
            "write NAME=VALUE, such as kws=model.tflite",
            ("firmware", "kws=model.tflite", *FIRMWARE),
        ),
        (
            ("export", *ARGUMENTS, "--config", "a.toml", "--config", "b.toml"),
            "give at most one TOML file and one manifest.json",
            ("export", *ARGUMENTS, "--config", "a.toml", "--config", "manifest.json"),
        ),
        (
            ("validate", "m.tflite", "--config", "manifest.json"),
            "not for validate; give a TOML file",
            ("validate", "m.tflite", "--config", "a.toml"),
        ),
        (
            ("export", *ARGUMENTS, "--config", "study.json"),
            "give the manifest.json that export or quantize wrote",
            ("export", *ARGUMENTS, "--config", "manifest.json"),
        ),
        (
            ("export", "m.h5", "--output", "o", "--config", "manifest.json"),
            "give --representative",
            ("export", *ARGUMENTS, "--config", "manifest.json"),
        ),
    ],
)
def test_commands_are_accepted_as_advised(
    project: Path, requests: list[Any], bad: tuple[Any, ...], advice: str, good: tuple[Any, ...]
) -> None:
    folder = project.parent / "cwd"
    for name in ("a.toml", "b.toml"):
        write_config(folder, "[all]\n", name)
    write_manifest(folder)
    write_config(folder, json.dumps(MANIFEST | {"command": "study"}), "study.json")
    done = run(*bad)
    assert done.exit_code == 2
    assert advice in done.output
    done = run(*good)
    assert len(requests) == 1, done.output


CONSTANT = read_tflite(
    one_operator("ADD", [Value((1, 4)), Value((4,), values=[1, 2, 3, 4])], [Value((1, 4))])
).main


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"activations": None}, "provide a calibration.json written by edgepack"),
        ({"t2": None}, "calibrate this model again"),
        ({"t22": {"min": 0, "max": 1}}, "did you mean"),
        ({"t0": {"min": 1, "max": 2}}, "set 'min' to 0 or less and 'max' to 0 or greater"),
        ({"t1": {"min": 0, "max": 9}}, "set both to the same range"),
    ],
)
def test_ranges_are_read_as_advised(tmp_path: Path, change: dict[str, Any], advice: str) -> None:
    path = tmp_path / "calibration.json"
    ranges = {f"t{index}": Range(min=0, max=1) for index in range(6)}

    def calibrate() -> None:
        save_ranges(path, ranges, "min-max", None)

    calibrate()
    content = json.loads(path.read_text())
    for name, entry in change.items():
        place = content if name == "activations" else content["activations"]
        place[name] = entry
        if entry is None:
            del place[name]
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match=advice):
        load_ranges(path, POOLED)
    calibrate()  # or the same edit, as the advice says
    assert load_ranges(path, POOLED) == ranges


@pytest.mark.parametrize(
    ("constants", "advice"),
    [
        ([], "calibrate this model again"),
        ({"other": {"min": 0, "max": 1}}, "calibrate this model again"),
        ({"x1": {"min": 2, "max": 1}}, "set 'min' to 'max' or less"),
    ],
)
def test_ranges_of_constants_are_read_as_advised(
    tmp_path: Path, constants: Any, advice: str
) -> None:
    (name,) = (each.name for each in CONSTANT.tensors if each.is_constant)
    path, content = tmp_path / "c.json", {"schema": 1, "activations": {}}
    if isinstance(constants, dict):
        constants = {name if key == "x1" else key: value for key, value in constants.items()}
    path.write_text(json.dumps(content | {"constants": constants}))
    with pytest.raises(CalibrationError, match=advice):
        load_constants(path, CONSTANT)
    path.write_text(json.dumps(content | {"constants": {name: {"min": 1, "max": 1}}}))
    assert load_constants(path, CONSTANT) == {name: Range(min=1, max=1)}


MORE = np.random.default_rng(1).normal(size=(50, 4, 4, 3)).astype(np.float32)
DEAD = np.concatenate([GOOD[..., :2], np.zeros_like(GOOD[..., :1])], axis=-1)
WIDE = np.concatenate([GOOD, np.full_like(GOOD[:1], 1e4)])


@pytest.mark.parametrize(
    ("bad", "rule", "good"),
    [
        ((GOOD[:9],), "few-samples", (GOOD[:100],)),
        ((np.concatenate([GOOD, GOOD[:30]]),), "duplicates", (GOOD,)),
        ((DEAD,), "constant-channels", (GOOD,)),
        ((WIDE,), "outlier", (GOOD,)),
        ((GOOD, np.where(LABELS == 3, 2, 0)), "class-imbalance", (GOOD, LABELS)),
        ((GOOD, LABELS, np.concatenate([MORE, GOOD[:9]])), "overlap", (GOOD, LABELS, MORE)),
        ((GOOD, LABELS, MORE * 255), "other-scale", (GOOD * 255, LABELS, MORE * 255)),
    ],
)
def test_the_linter_finds_nothing_in_data_that_were_changed_as_advised(
    bad: Any, rule: str, good: Any
) -> None:
    assert lint(*bad) == [rule]
    assert lint(*good) == []


TFLM = TARGET.replace('{ litert = "2.3.0" }', '{ litert = "2.3.0", tflm = "NEWEST" }')


@pytest.mark.parametrize(
    ("bad", "advice", "good"),
    [
        (TARGET.replace("2.3.0", "0.9"), "write the oldest of these that", TARGET),
        (TARGET + "kernels = 'cmsis-nn'", "leave kernels out, or add tflm", TARGET),
        (TARGET + "kernels = 'cmsis-nn'", "or add tflm", TFLM + "kernels = 'cmsis-nn'"),
        (TARGET + "layout = 'cmake'", "leave layout out, or", TARGET),
        (
            TARGET + "layout = 'cmake'",
            "or add kernels and tflm",
            TFLM + "layout = 'cmake'\nkernels = 'cmsis-nn'",
        ),
        (TARGET + "operators = ['CONV2D']", "similar ones are CONV_2D", TARGET),
        (TARGET.replace('"d"', '""'), "describe the device", TARGET),
    ],
)
def test_targets_are_read_as_advised(bad: str, advice: str, good: str) -> None:
    newest = load_target(NANO).interpreters["tflm"]
    with pytest.raises(TargetError, match=advice):
        parse_target("mine", bad)
    parse_target("mine", good.replace("NEWEST", newest))
    if "similar" in advice:
        parse_target("mine", TARGET + "operators = ['CONV_2D']")


def test_targets_are_named_as_advised(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="did you mean 'rp2040'"):
        load_target("rp2400")
    load_target("rp2040")
    with pytest.raises(TargetError, match="or pass the path of a"):
        load_target("mine")
    (tmp_path / "mine.toml").write_text(TARGET)
    load_target(str(tmp_path / "mine.toml"))
    with pytest.raises(TargetError, match="rename the file"):
        parse_target("all", TARGET)


@pytest.mark.parametrize(
    ("name", "dtype"), [("float", "float32"), ("float16", "float16"), ("int16", "int16"),
                        ("int4", "int4")]
)  # fmt: skip
def test_data_types_that_a_target_lacks_are_gone_when_quantized_as_advised(
    quantized: Path, name: str, dtype: str
) -> None:
    taken = tuple(each for each in ("float32", "int8", "int32", "int64") if each != dtype)
    target = replace(load_target("android-arm64"), data_types=taken)
    model = {each: read_tflite((quantized / f"{each}.tflite").read_bytes()) for each in
             (name, "int8", "float")}  # fmt: skip
    (complaint,) = (each for each in data_types_are_taken(model[name], target) if
                    f" {dtype} tensors" in each.message)  # fmt: skip
    assert complaint.cure == _TYPE_CURES[dtype]
    assert list(data_types_are_taken(model["int8"], target)) == []
    if dtype == "float16":  # "or keep weights in float32"
        assert list(data_types_are_taken(model["float"], target)) == []


def test_a_budget_that_cannot_be_judged_is_removed_or_replaced() -> None:
    outputs = closeness(agreement=None)
    (finding,) = judge_agreement(outputs, "the command", Budgets(min_agreement=98))
    assert finding.cure == "remove the budget, or use min_sqnr"
    for budgets in (Budgets(), Budgets(min_sqnr=20)):
        assert list(judge_agreement(outputs, "the command", budgets)) == []
        assert list(judge_sqnr(outputs, "the command", budgets)) == []


def test_there_are_as_many_folds_and_models_as_advised() -> None:
    with pytest.raises(ConfigError, match="give more, or use fewer folds"):
        choose_folds(None, 3, 4, "test.npz")
    choose_folds(None, 3, 3, "test.npz")
    choose_folds(None, 4, 4, "test.npz")
    with pytest.raises(ConfigError, match=r"give at least one \.tflite file"):
        FirmwareConfig(models=(), target=NANO, output=Path("o"))
    FirmwareConfig(models=(NamedModel(path=Path("m.tflite")),), target=NANO, output=Path("o"))
