"""The README agrees with the program."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import ROOT, Bundle, python

from edgepack.cli import cli
from edgepack.cli.renamed_option import RenamedOption
from edgepack.config.project_file import read_project_file
from edgepack.devices.target import parse_target

README = (ROOT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (found,) = [text for tag, text in blocks if tag == language and containing in text]
    return str(found)


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_a_command_and_its_options_are_documented(name: str) -> None:
    command = cli.commands[name]
    assert command.help
    assert f"edgepack {name}" in README
    for parameter in command.params:
        is_renamed = isinstance(parameter, RenamedOption)
        for option in parameter.opts[:-1] if is_renamed else parameter.opts:
            if option.startswith("--"):
                assert option in README


def test_the_targets_are_listed_as_they_are() -> None:
    listed = python("-m", "edgepack", "targets").stdout
    assert listed == block("", "rp2040")


def test_the_targets_and_project_files_that_are_shown_are_read(tmp_path: Path) -> None:
    assert parse_target("mine", block("toml", "STM32L476")).budgets.max_arena == 40000
    (tmp_path / "edgepack.toml").write_text(block("toml", "max_drop"))
    assert read_project_file(tmp_path / "edgepack.toml").budgets.max_drop == 1.0


def test_the_project_file_that_is_shown_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edgepack.toml"
    path.write_text(block("toml", "[[compress]]"))
    configs: list[Any] = []
    for name, function in (
        ("export", "exporting.export.export_repeating"),
        ("validate", "validation.validate.validate"),
    ):
        monkeypatch.setattr(
            f"edgepack.pipeline.{function}", lambda config, *_, **__: configs.append(config)
        )
        CliRunner().invoke(cli, [name, "--config", str(path)])
    config, validate = configs
    assert [step.training is None for step in config.compress] == [True, False]
    assert config.observer == "percentile:99.99"
    assert validate.budgets.max_drop == 1
    path.write_text("[export]\nobservr = 'mse'\n")
    monkeypatch.chdir(tmp_path)
    output = CliRunner().invoke(cli, ["validate", "--config", "edgepack.toml"]).output
    assert output in block("console", "edgepack validate --config edgepack.toml")


def test_the_table_has_the_columns_of_today(pruned_digits: Bundle) -> None:
    shown = block("", "interpreter")
    header, *_ = pruned_digits.stdout.splitlines()
    assert shown.splitlines()[0].split() == header.split()
    assert shown.splitlines()[-2].startswith("RUNS on 2 targets; accuracy ")
    assert shown.splitlines()[-1] in (ROOT / "scripts" / "quickstart").read_text()


def test_the_python_example_runs(models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "cnn.h5", tmp_path / "model.h5")
    shutil.copy(models / "cnn.npz", tmp_path / "calibration.npz")
    done = python("-c", block("python", "edgepack.ExportConfig"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True ")
    assert (tmp_path / "build" / "model" / "report.json").is_file()
