"""Without TensorFlow, the gate and the way to firmware work; the rest says what it needs.

`light` is this environment without TensorFlow and its packages; scripts/nightly also installs one
as README.md says.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classifiers import write_classifiers, write_what_needs_tensorflow
from conftest import HAS_TFLITE_RUNTIME, PHONE, ROOT, python
from environments import LEFT_OUT_BY_LIGHT, Environment, make_environment
from light import documented_lines, install, pip
from test_doctor import examine
from test_packaging import setup

from edgepack.core.requirements import wanted
from edgepack.core.tensorflow_packages import TENSORFLOW_PACKAGES as FAMILY

TENSORFLOW_PACKAGES = [each.distribution for each in FAMILY]

OF_KERAS = "debug, export, lint, quantize, study"
COMPARED = ("compare", "float.tflite", "int8.tflite", "--no-cache")
CURE = "pip install " + " ".join(repr(wanted(name)) for name in TENSORFLOW_PACKAGES)


@pytest.fixture(scope="session")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return with_files(make(tmp_path_factory.mktemp("linked"), *LEFT_OUT_BY_LIGHT, confined=True))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return with_files(install(tmp_path_factory.mktemp("installed")))


@pytest.fixture(
    scope="session", params=["linked", pytest.param("installed", marks=pytest.mark.slow)]
)
def light(request: pytest.FixtureRequest) -> Environment:
    installation: Environment = request.getfixturevalue(request.param)
    return installation


def make(folder: Path, *without: str, confined: bool = False) -> Environment:
    (work := folder / "work").mkdir()
    return make_environment(folder / "environment", without=without, work=work, confined=confined)


def with_files(light: Environment) -> Environment:
    assert light.work
    write_classifiers(light.work)
    write_what_needs_tensorflow(light.work)
    return light


def requirements(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_the_light_requirements_are_those_of_edgepack_but_for_tensorflow_and_its_packages() -> None:
    light = requirements((ROOT / "requirements-light.txt").read_text())
    whole = requirements(setup()["options"]["install_requires"])
    assert set(light) <= set(whole)
    left_out = [re.split(r"[^\w-]", line)[0] for line in whole if line not in light]
    assert sorted(left_out) == sorted(TENSORFLOW_PACKAGES)


@pytest.mark.parametrize("distribution", ["numpy", "ai-edge-litert", "flatbuffers"])
def test_without_a_package_that_it_needs_a_command_says_so(
    distribution: str, tmp_path: Path
) -> None:
    done = make(tmp_path, distribution).run("inspect", "int8.tflite")
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith(f"error: {distribution} is not installed: ")


def test_a_light_installation_is_complete_and_one_row_says_what_it_omits(tmp_path: Path) -> None:
    light = make(tmp_path, *LEFT_OUT_BY_LIGHT)
    done = light.run("doctor")
    assert done.returncode == 0
    assert (
        "omitted tensorflow: this installation is light: models other than .tflite files cannot be"
        f" loaded, and none can be quantized or pruned; {CURE}" in " ".join(done.stdout.split())
    )
    assert "keras " not in done.stdout
    *_, unable, in_part = re.split(r"\n(?=\w)", done.stdout.rstrip())
    assert " ".join(unable.split()) == f"cannot work: {OF_KERAS}, because of tensorflow"
    assert in_part == "can work in part only: compare, because of tensorflow"
    report = examine(light, 0)
    assert [*report["unable"]] == OF_KERAS.split(", ")
    assert report["tensorflow"]["state"] == "omitted"
    states = {each["state"] for each in report["examined"] if each["kind"] == "interpreter"}
    assert states == ({"works"} if HAS_TFLITE_RUNTIME else {"works", "missing"})


def test_a_light_installation_that_lacks_something_else_is_not_complete(tmp_path: Path) -> None:
    report = examine(make(tmp_path, *LEFT_OUT_BY_LIGHT, "scipy"), 3)
    assert report["in_part"]["validate"] == ["scipy"]


def test_what_is_neither_light_nor_full_is_not_complete(tmp_path: Path) -> None:
    light_but_for_keras = {*LEFT_OUT_BY_LIGHT} - {"keras"}
    report = examine(make(tmp_path, *light_but_for_keras), 3)
    assert report["tensorflow"]["state"] == "missing"
    assert report["keras"]["state"] == "installed"
    assert report["unable"]["export"] == ["tensorflow"]


def test_two_lines_install_it() -> None:
    assert documented_lines() == [
        ["pip", "install", "-r", "requirements-light.txt"],
        ["pip", "install", "--no-deps", "."],
    ]


@pytest.mark.slow
def test_the_two_lines_install_all_but_tensorflow_and_its_packages(installed: Environment) -> None:
    missing = re.findall(r"requires (\S+), which is not", pip(installed, "check").stdout)
    assert sorted(missing) == sorted(TENSORFLOW_PACKAGES)


def test_tensorflow_and_its_packages_cannot_be_imported(light: Environment) -> None:
    for module in (each.module.partition(".")[0] for each in FAMILY):
        assert f"No module named '{module}'" in light.call("-c", f"import {module}").stderr


@pytest.mark.parametrize(
    ("arguments", "status", "result"),
    [
        (("data.npz", "--max-drop", 5), 0, "PASSED on 2 targets"),
        (("data.npy", "--min-sqnr", 90), 1, f"FAILED on {PHONE}"),
        (("data.npz", "--max-arena", 10, "--format", "github"), 1, "::error"),
        (("data.npz", "--max-drop", 1e-6), 4, f"NOT SHOWN on {PHONE}"),
    ],
)
def test_it_validates_with_budgets(
    light: Environment, arguments: tuple[Any, ...], status: int, result: str
) -> None:
    models = ("int8.tflite", "--float", "float.tflite")
    targets = ("--target", PHONE, "--target", "nano-33-ble-sense")
    done = light.run("validate", *models, *targets, "--test", *arguments)
    assert done.returncode == status, done.stderr
    assert result in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (("inspect", "int8.tflite", "--tensors"), ()),
        (
            ("firmware", "int8.tflite", "--target", "rp2040", "--test", "data.npz"),
            ("model.c", "test_vectors.h", "main.cc"),
        ),
        (("phone", "int8.tflite"), ("int8.tflite", "*.kt", "*.swift")),
        (("targets",), ()),
    ],
)
def test_it_inspects_and_writes_for_microcontrollers_and_phones(
    light: Environment, tmp_path: Path, arguments: tuple[str, ...], files: tuple[str, ...]
) -> None:
    output = tmp_path / "output"
    done = light.run(*arguments, *(("--output", output) if files else ()))
    assert done.returncode == 0, done.stderr + done.stdout
    for name in files:
        assert [*output.rglob(name)], [*output.rglob("*")]


def test_it_compares_as_the_whole_installation_does(light: Environment) -> None:
    arguments = (*COMPARED, "--test", "data.csv", "--config", "columns.toml", "--json")
    done = light.run(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == python("-m", "edgepack", *arguments, cwd=light.work).stdout
    assert len(json.loads(done.stdout)["stages"]) == 2


def unmeasured(report: Any) -> Any:
    """Return a report without the time and memory that were measured, which vary."""
    if isinstance(report, dict):
        varying = ("latency", "latency_ratio", "peak_memory_bytes")
        return {key: unmeasured(each) for key, each in report.items() if key not in varying}
    return [*map(unmeasured, report)] if isinstance(report, list) else report


def test_its_page_of_a_comparison_is_that_of_the_whole_installation(
    light: Environment, tmp_path: Path
) -> None:
    arguments = (*COMPARED, "--test", "data.npz", "--output")
    done = light.run(*arguments, tmp_path / "light")
    assert done.returncode == 0, done.stderr
    done = python("-m", "edgepack", *arguments, tmp_path / "whole", cwd=light.work)
    assert done.returncode == 0, done.stderr
    report, whole = (
        json.loads((tmp_path / name / "report.json").read_text()) for name in ("light", "whole")
    )
    assert unmeasured(report) == unmeasured(whole)
    assert report["lint"]["samples"] == {"test data": 200}
    (output,) = report["stages"][1]["runs"]["litert"]["outputs"].values()
    labels = np.load(light.work / "data.npz")["y"]
    assert [each["samples"] for each in output["classes"]] == np.bincount(labels).tolist()
    done = light.run("diff", tmp_path / "light", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    assert "NOT WORSE" in done.stdout


def refused(light: Environment, subject: str, *arguments: object) -> None:
    """Hold a command against the one sentence, and against what it must leave alone."""
    before = sorted(light.work.iterdir())
    done = light.run(*arguments)
    said = f"error: {subject} needs TensorFlow, which is not installed; {CURE}\n"
    assert done.returncode == 3, done.stderr
    assert done.stderr.endswith(said)
    assert done.stderr.count("error") == 1, done.stderr
    assert done.stdout == ""
    assert sorted(light.work.iterdir()) == before


NEW = ("--output", "new")


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "model.h5", "--representative", "data.npz", *NEW),
        ("export", "no.h5", "--representative", "data.npz", *NEW),
        ("quantize", "model.keras", "--representative", "data.tfrecord", *NEW),
        ("lint", "saved", "data.npz"),
        ("debug", "model.json", "--weights", "model.h5", "--representative", "data.npz"),
        ("study", "float.tflite", "--test", "data.npz", *NEW),
    ],
)
def test_what_trains_or_quantizes_says_that_it_needs_tensorflow(
    light: Environment, arguments: tuple[str, ...]
) -> None:
    refused(light, arguments[0], *arguments)


@pytest.mark.parametrize("model", ["model.h5", "model.keras", "saved", "model.json"])
def test_a_comparison_with_a_keras_model_says_that_it_needs_tensorflow(
    light: Environment, model: str
) -> None:
    subject = f"{model}: a model other than a .tflite file"
    arguments = ("compare", model, "int8.tflite", "--test", "data.npz", *NEW)
    refused(light, subject, *arguments)


@pytest.mark.parametrize(
    ("subject", "arguments"),
    [
        ("the calibration of folds", (*COMPARED, "--test", "data.npz", "--folds", 5)),
        ("data.tfrecord: a TFRecord file", (*COMPARED, "--test", "data.tfrecord", *NEW)),
        ("mine:dataset:", (*COMPARED, "--test", "mine:dataset", *NEW)),
        ("metric 'mine:score':", (*COMPARED, "--test", "data.npz", "--metric", "mine:score")),
        (
            "data.tfrecord: a TFRecord file",
            ("firmware", "int8.tflite", "--target", "rp2040", "--test", "data.tfrecord", *NEW),
        ),
        ("sequence:batches:", ("validate", "int8.tflite", "--test", "sequence:batches")),
    ],
)
def test_folds_and_data_and_code_of_tensorflow_say_that_they_need_it(
    light: Environment, subject: str, arguments: tuple[object, ...]
) -> None:
    refused(light, subject, *arguments)


CALLS = """
import sys
from pathlib import Path
import edgepack
from edgepack.core.errors import MissingToolError
data, output = Path("data.npz"), Path("new")
export = lambda: edgepack.export(edgepack.ExportConfig(
    model=Path("model.h5"), representative=data, output=output))
compare = lambda: edgepack.compare(edgepack.CompareConfig(
    model=Path("model.h5"), candidates=(edgepack.NamedModel(path=Path("int8.tflite")),), test=data))
for function in (export, compare):
    try:
        function()
    except MissingToolError as error:
        print(error)
print(output.exists(), "tensorflow" in sys.modules)
"""


def test_functions_say_it_too(light: Environment) -> None:
    lines = light.call("-c", CALLS).stdout.splitlines()
    assert lines[0] == f"export needs TensorFlow, which is not installed; {CURE}"
    assert lines[1].startswith("model.h5: a model other than a .tflite file needs TensorFlow")
    assert lines[2:] == ["False False"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "model.h5"),
        ("firmware", "saved", "--target", "rp2040", *NEW),
        ("compare", "no.tflite", "int8.tflite", "--test", "data.npz"),
        ("compare", "data.npz", "int8.tflite", "--test", "float.tflite"),
        ("compare", "float.tflite", "model.keras", "--test", "data.npz"),
        ("diff", "float.tflite", "int8.tflite"),
        ("export", "model.h5"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    light: Environment, arguments: tuple[str, ...]
) -> None:
    done = light.run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_sentence_says_how_it_becomes_a_full_installation(installed: Environment) -> None:
    (line,) = re.findall(r"pip (install .*)", installed.run("lint", "saved", "data.npz").stderr)
    done = pip(installed, *shlex.split(line), "--dry-run", "--report", "-", "--quiet")
    assert done.returncode == 0, done.stderr
    added = {each["metadata"]["name"] for each in json.loads(done.stdout)["install"]}
    assert {re.sub("[_.]", "-", name) for name in added} >= {*TENSORFLOW_PACKAGES}
    assert "numpy" not in added  # tflite-runtime works with the one that is there
