"""``--config``: options in a TOML file."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from config_files import STEPS, refused, run, write_config
from conftest import Edgepack, Stopped, export, files

from edgepack import CompareConfig, ExportConfig, FirmwareConfig, Prune, ValidateConfig
from edgepack.cli import cli
from edgepack.config.budgets import LOSS_BUDGETS
from edgepack.config.project_file import COMMANDS, read_project_file
from edgepack.config.quantization import Quantization

EXPORT = """
[all]
test = "test.npz"
target = ["rp2040", "boards/mine.toml"]

[export]
model = "model.keras"
output = "build/model"
representative = "mine:data"
samples = 20
seed = 3
observer = "mse"
scheme = "int16"
layer = ["a*=int8", "b=float"]
force = true
n_of_m = "2:4"
"""


def test_every_option_of_a_command_can_be_in_the_file(project: Path, requests: list[Any]) -> None:
    path = write_config(project, EXPORT)
    run("export", "--config", path)
    assert requests == [
        ExportConfig(
            model=project / "model.keras",
            output=project / "build/model",
            representative="mine:data",
            test=project / "test.npz",
            project_file=path,
            samples=20,
            seed=3,
            observer="mse",
            quantization=Quantization(scheme="int16", layers=(("a*", "int8"), ("b", "float"))),
            targets=("rp2040", str(project / "boards/mine.toml")),
            force=True,
            compress=(Prune(n_of_m=(2, 4)),),
        )
    ]


def test_the_command_line_takes_precedence_over_the_file(
    project: Path, requests: list[Any]
) -> None:
    path = write_config(project, EXPORT)
    run("export", "here.h5", "--recipe", path, "--samples", 5, "--target", "esp32", "--output", "o")
    (config,) = requests
    assert config.model == Path("here.h5")
    assert config.output == Path("o")
    assert config.samples == 5
    assert config.targets == ("esp32",)
    assert config.seed == 3


def test_each_command_uses_its_own_options(project: Path, requests: list[Any]) -> None:
    path = write_config(
        project,
        """
        [all]
        model = "float.h5"
        test = "t.npz"
        max-drop = 1
        [compare]
        candidates = ["a=a.tflite", "b.tflite"]
        folds = 3
        no-cache = true
        [validate]
        float = "f.tflite"
        time_limit = 5
        format = "json"
        [firmware]
        models = "kws=kws.tflite"
        target = "rp2040"
        output = "fw"
        labels = "words.txt"
        test = ["kws=t.npz"]
        [preprocessing]
        scale = 2
        """,
    )
    for command in ("validate", "firmware"):
        run(command, "--config", path)
    validate, firmware = requests
    assert isinstance(validate, ValidateConfig)
    assert (validate.model, validate.float_model) == (project / "float.h5", project / "f.tflite")
    assert (validate.budgets.max_drop, validate.time_limit_s) == (1.0, 5.0)
    assert isinstance(firmware, FirmwareConfig)
    assert [(each.name, each.path) for each in firmware.models] == [("kws", project / "kws.tflite")]
    assert firmware.labels == {"": project / "words.txt"}
    assert firmware.tests == {"kws": project / "t.npz"}
    assert firmware.project_files == {"": path}
    message = refused("compare", "--config", path)
    assert "folds 3: test the calibration of one model" in message
    run("compare", "--config", path, "a.h5", "b=c.tflite")
    compare = requests[-1]
    assert isinstance(compare, CompareConfig)
    assert compare.model == Path("a.h5")
    assert [(each.name, each.path) for each in compare.candidates] == [("b", Path("c.tflite"))]
    assert compare.is_cached is False
    assert compare.budgets.max_drop == 1.0


def test_every_command_has_a_table_and_the_option() -> None:
    assert cli.commands.keys() - {"doctor"} == {*COMMANDS}  # which has nothing to set
    for name in COMMANDS:
        assert any("--config" in param.opts for param in cli.commands[name].params), name


@pytest.mark.parametrize("command", ["inspect", "diff", "targets"])
def test_commands_that_read_no_data_take_options(
    project: Path, command: str, tmp_path: Path
) -> None:
    path = write_config(project, f"[inspect]\nmodel='no.tflite'\n[diff]\na='a'\nb='{tmp_path}/b'\n")
    done = run(command, "--config", path)
    if command == "targets":
        assert done.exit_code == 0
        assert "rp2040" in done.output
    else:
        path = project / "no.tflite" if command == "inspect" else project / "a"
        assert str(path) in done.output
        assert done.exit_code == 2


def test_a_pipe_is_read_once_and_its_paths_are_relative_to_the_working_folder(
    project: Path, requests: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = project / "pipe"
    os.mkfifo(fifo)
    text = "[export]\nmodel='m.h5'\noutput='o'\ntest='t.npz'\n[data]\nlabel='species'\n"
    threading.Thread(target=fifo.write_text, args=(text,), daemon=True).start()
    labels = []

    def collect(config: ExportConfig, *_: Any, **__: Any) -> None:
        labels.append(read_project_file(config.project_file).label)
        requests.append(config)
        raise Stopped("stopped")

    monkeypatch.setattr("edgepack.pipeline.exporting.export.export_repeating", collect)
    run("export", "--config", fifo)
    (config,) = requests
    assert config.test == Path("t.npz")
    assert labels == ["species"]
    assert not config.project_file.exists()  # it existed while the command was running


def test_two_toml_files_are_refused(project: Path) -> None:
    one, two = write_config(project, "", "one.toml"), write_config(project, "", "two.toml")
    for arguments in (("--config", one, "--config", two), ("--config", one, "--recipe", one)):
        message = refused("export", "m.h5", "--output", "o", *arguments)
        assert "--config was given too often: give at most one TOML file" in message


def test_tables_of_data_and_budgets_may_be_in_the_same_file(project: Path) -> None:
    path = write_config(project, f"{STEPS}[data]\nlabel = 'species'\n[budgets]\nmax_drop = 1\n")
    project_file = read_project_file(path)
    assert project_file.label == "species"
    assert project_file.budgets.max_drop == 1


def test_options_for_all_apply_to_the_commands_that_they_fit(
    project: Path, requests: list[Any]
) -> None:
    path = write_config(project, "[all]\ntarget = ['rp2040', 'esp32']\n")
    firmware = ("firmware", "m.tflite", "--output", "o", "--config", path)
    done = run(*firmware)
    assert done.exit_code == 2
    assert "Missing option '--target'" in done.output
    run(*firmware, "--target", "rp2350")
    assert requests[-1].target == "rp2350"
    write_config(project, "[all]\ntarget = ['rp2040', 'esp32']\n[firmware]\ntarget = 'esp32'\n")
    run("firmware", "m.tflite", "--output", "o", "--config", path)
    assert requests[-1].target == "esp32"
    run("validate", "m.tflite", "--config", path)
    assert requests[-1].targets == ("rp2040", "esp32")


def test_an_option_that_the_file_lacks_is_missing(project: Path) -> None:
    path = write_config(project, "[export]\nmodel = 'm.h5'\n")
    done = run("export", "--config", path)
    assert done.exit_code == 2
    assert "Missing option '--output'" in done.output


def test_a_project_file_does_what_the_command_line_does(
    models: Path, tmp_path: Path, edgepack: Edgepack
) -> None:
    (tmp_path / "data").symlink_to(models)
    text = """
    [export]
    model = "data/cnn.h5"
    representative = "data/cnn.npz"
    output = "build/cnn"
    target = "android-arm64"
    sparsity = 0.5
    """
    done = edgepack("export", "--config", write_config(tmp_path, text))
    assert done.returncode == 0, done.stderr
    by_file = tmp_path / "build" / "cnn"
    bare = write_config(tmp_path, "", "empty.toml")
    by_options = export(
        tmp_path / "by_options",
        models / "cnn.h5",
        *("--representative", models / "cnn.npz", "--sparsity", 0.5, "--config", bare),
        *("--target", "android-arm64"),
    )
    actual, expected = files(by_file), files(by_options.folder)
    same = actual.keys() - {"manifest.json", "report.html", "report.md"}  # these name the TOML file
    assert {name: actual[name] for name in same} == {name: expected[name] for name in same}
    config = json.loads((by_file / "manifest.json").read_text())["recipe"]
    assert config["recipe_file"]["name"] == "edgepack.toml"


def test_help_mentions_manifests_where_they_are_supported() -> None:
    for name in ("export", "quantize", "debug"):
        assert "manifest.json of an export" in " ".join(run(name, "--help").output.split())
    assert "manifest.json" not in run("validate", "--help").output


def test_every_setting_of_an_export_is_an_option() -> None:
    keys = {param.name for param in cli.commands["export"].params}
    others = {"budgets", "compress", "quantization"}
    assert {field.name for field in fields(ExportConfig)} - others <= keys
    assert {*LOSS_BUDGETS, "not_shown"} <= keys
