"""From Python: every command is a function of its settings, and returns its report."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from conftest import ROOT, python

import edgepack
from edgepack.cli import cli
from edgepack.config.checked_settings import Settings
from edgepack.core.errors import ConfigError

DOCUMENT = (ROOT / "docs" / "python.md").read_text()
COMMANDS = sorted(cli.commands.keys() - {"targets", "doctor"})
SILENT = {"inspect", "diff", "phone"}
"""Commands that run no model."""

TAKES_PATHS = {"inspect", "diff"}
"""Functions that once took paths, which still works, with a warning."""

OPTIONS_OF_THE_COMMAND_LINE = {
    "as_json",
    "config",
    "form",
    "help",
    "no_cache",
    "project_file",
    "tensors",
    "verbose",
}
"""Options that say how a result is printed, or that are arguments of every function."""

MADE_OF_OPTIONS = {
    "budgets": {"max_drop", "max_class_drop", "min_agreement", "min_sqnr", "not_shown"}
    | {"max_flash", "max_arena", "max_latency_ratio"},
    "quantization": {"scheme", "layer_schemes", "input_type", "output_type", "dense"},
    "roundings": {"rounding"},
    "is_cached": set(),
    "representative": {"data"},
}
"""Settings that several options make, or an option of another name."""

OF_PRUNING = {
    field.name
    for kind in (edgepack.Prune, edgepack.FineTune, edgepack.Schedule)
    for field in fields(kind)
} | {"layer_sparsity"}


def function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(edgepack, name)
    return found


def config_of(name: str) -> type[Settings]:
    kind: type[Settings] = getattr(edgepack, f"{name.title()}Config")
    return kind


@pytest.fixture(scope="session")
def documented(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The output of the examples in the documentation, and the folder that they ran in."""
    folder = tmp_path_factory.mktemp("documented")
    shutil.copytree(digits, folder, dirs_exist_ok=True)
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    (folder / "examples.py").write_text("\n".join(blocks))
    done = python("-W", "error::DeprecationWarning", "examples.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout, folder


def test_the_examples_of_the_documentation_have_the_right_types(
    documented: tuple[str, Path],
) -> None:
    _, folder = documented
    cache = ROOT / ".mypy_cache" / "linux"
    path = os.pathsep.join([str(ROOT), os.environ.get("MYPYPATH", "")])
    done = python(
        *("-m", "mypy", "--strict", "--config-file", ROOT / "setup.cfg", "--cache-dir", cache),
        folder / "examples.py",
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": path},
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [*COMMANDS, "list_targets", "doctor"])
def test_every_function_is_called_in_the_documentation(name: str) -> None:
    assert f"edgepack.{name}(" in DOCUMENT
    assert f"| `edgepack.{name}` |" in DOCUMENT


def test_the_examples_of_the_documentation_run(documented: tuple[str, Path]) -> None:
    output, folder = documented
    lines = output.splitlines()
    assert any(re.fullmatch(r"nano-33-ble-sense passed \d+ \d+ \(\)", line) for line in lines)
    assert any(re.fullmatch(r"runs 0 passed", line) for line in lines)
    assert re.search(r"run: (\d+) of \1 ", output)
    assert lines[-1].startswith("2 missing.tflite: no such .tflite file")
    for name in ("model", "pruned", "wide", "study", "firmware", "phone"):
        assert (folder / "build" / name / "manifest.json").is_file()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_function_of_its_settings(name: str) -> None:
    parameters = inspect.signature(function(name)).parameters
    hints = get_type_hints(inspect.unwrap(function(name)))
    assert hints["config"] is config_of(name)
    expected = ["config"] if name in SILENT else ["config", "progress", "verbose"]
    assert [*parameters] == expected
    report = "Export" if name == "quantize" else name.title()
    assert hints["return"] is getattr(edgepack, f"{report}Report")
    assert is_dataclass(hints["return"])
    assert callable(hints["return"].to_dict)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_a_setting_and_every_setting_an_option(name: str) -> None:
    options = {param.name for param in cli.commands[name].params} - OPTIONS_OF_THE_COMMAND_LINE
    settings = {field.name for field in fields(config_of(name))}  # type: ignore[arg-type]
    made = {option for each in settings for option in MADE_OF_OPTIONS.get(each, ())}
    if name == "export":  # they are short for one step
        made |= OF_PRUNING
    if name == "lint":  # --strict decides on the exit status: see report.findings
        options.remove("strict")
    assert options - settings <= made
    assert settings - options <= {*MADE_OF_OPTIONS, "project_file", "compress"}


def test_targets_are_listed_with_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own = tmp_path / "edgepack" / "targets"
    own.mkdir(parents=True)
    shutil.copy(ROOT / "targets" / "rp2040.toml", own / "mine.toml")
    assert {"mine", "rp2040"} <= {target.name for target in edgepack.list_targets()}
    (own / "broken.toml").write_text("descripton = 'x'")
    with pytest.raises(edgepack.EdgepackError, match=r"broken\.toml"):
        edgepack.list_targets()


@pytest.mark.parametrize(
    ("name", "given"),
    [(name, given) for name in COMMANDS for given in (None, 3)]
    + [(name, "model.keras") for name in COMMANDS if name not in TAKES_PATHS],
)
def test_what_are_no_settings_is_refused(name: str, given: object) -> None:
    with pytest.raises(ConfigError, match=f"edgepack.{name} takes an edgepack.{name.title()}Conf"):
        function(name)(given)


def test_strings_and_lists_are_accepted_for_paths_and_tuples() -> None:
    config = edgepack.ExportConfig(  # as people write it
        model="m.keras",  # type: ignore[arg-type]
        output="o",  # type: ignore[arg-type]
        targets=["rp2040"],  # type: ignore[arg-type]
        samples=np.int64(7),  # type: ignore[arg-type]
        compress=[edgepack.Prune(layers=[["dense*", np.float32(0.25)]])],  # type: ignore[arg-type,list-item]
    )
    (step,) = config.compress
    assert config.model == Path("m.keras")
    assert config.targets == ("rp2040",)
    assert type(config.samples) is int
    assert isinstance(step, edgepack.Prune)
    assert step.layers == (("dense*", 0.25),)
    assert type(step.layers[0][1]) is float
    with pytest.raises(FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class BytesPath(os.PathLike[bytes]):
    def __fspath__(self) -> bytes:
        return b"m"


WRONG = [
    (edgepack.ValidateConfig, {"model": 3}, "ValidateConfig: model must be a path, not 3"),
    (
        edgepack.ValidateConfig,
        {"model": "m", "targets": "rp2040"},
        r"ValidateConfig: targets must be a list, each item text, not 'rp2040'",
    ),
    (
        edgepack.CompareConfig,
        {"model": "m", "candidates": ["int8.tflite"], "test": "t"},
        r"CompareConfig: candidates must be a list, each item .*, not \['int8.tflite'\]",
    ),
    (
        edgepack.ExportConfig,
        {"model": "m", "output": "o", "budgets": 3},
        r"must be edgepack.Budgets\(...\), not 3",
    ),
    (
        edgepack.ExportConfig,
        {"model": "m", "output": "o", "samples": True},
        r"ExportConfig: samples must be a whole number, not True",
    ),
    (
        edgepack.ExportConfig,
        {"model": "m", "output": "o", "force": 1},
        "force must be true or false, not 1",
    ),
    (edgepack.ValidateConfig, {"model": "m", "jobs": Unprintable()}, "not <Unprintable instance"),
    (
        edgepack.ValidateConfig,
        {"model": "m", "metric": 10**5000},
        "text, not .*int",
    ),
    (edgepack.ValidateConfig, {"model": BytesPath()}, "model must be a path"),
    (edgepack.Quantization, {"scheme": 8}, "Quantization: scheme must be text, not 8"),
    (
        edgepack.Prune,
        {"n_of_m": (1, 2, 3)},
        "n_of_m must be a list of a whole number and a whole number",
    ),
    (edgepack.FirmwareConfig, {"models": [], "target": "t", "output": "o", "labels": []}, "labels"),
]


@pytest.mark.parametrize(("kind", "settings", "message"), WRONG)
def test_a_value_of_another_type_is_refused(
    kind: Callable[..., object], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**settings)


def test_lint_is_given_data_as_advised() -> None:
    with pytest.raises(ConfigError, match="no data to check: give the representative dataset"):
        edgepack.LintConfig(model=Path("m.h5"), test="test.npz")
    edgepack.LintConfig(model=Path("m.h5"), test="test.npz", representative="calibration.npz")


def test_only_what_is_public_is_offered() -> None:
    assert dir(edgepack) == sorted(edgepack.__all__)


def test_reports_are_json(documented: tuple[str, Path]) -> None:
    _, folder = documented
    int8 = folder / "build" / "model" / "int8.tflite"
    reports = [
        edgepack.inspect(edgepack.InspectConfig(model=int8)),
        edgepack.phone(edgepack.PhoneConfig(model=int8, output=folder / "phone")),
        edgepack.diff(edgepack.DiffConfig(a=int8.parent, b=folder / "build" / "pruned")),
    ]
    for report in reports:
        assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["schema"] == 1
