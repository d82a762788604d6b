"""Without TensorFlow, the gate and the way to firmware work; the rest says what it needs.

`light` is this environment with TensorFlow and its packages hidden; scripts/nightly also installs
one of its own, as README.md says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classifiers import write_classifiers, write_what_needs_tensorflow
from conftest import PHONE, ROOT, python
from light import MODULES, Light, documented_lines, hide, install, pip
from test_packaging import setup

from edgepack.core import tensorflow_packages

TENSORFLOW_PACKAGES = [each.distribution for each in tensorflow_packages.TENSORFLOW_PACKAGES]

COMPARED = ("compare", "float.tflite", "int8.tflite", "--no-cache")
LACKS = "and its packages, and this installation lacks"


@pytest.fixture(scope="session")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Light:
    return with_files(hide(tmp_path_factory.mktemp("hidden"), TENSORFLOW_PACKAGES))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Light:
    return with_files(install(tmp_path_factory.mktemp("installed")))


@pytest.fixture(
    scope="session", params=["hidden", pytest.param("installed", marks=pytest.mark.slow)]
)
def light(request: pytest.FixtureRequest) -> Light:
    installation: Light = request.getfixturevalue(request.param)
    return installation


def with_files(light: Light) -> Light:
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


@pytest.mark.parametrize(
    ("distribution", "module"),
    [("numpy", "numpy"), ("ai-edge-litert", "ai_edge_litert"), ("flatbuffers", "flatbuffers")],
)
def test_without_a_package_that_it_needs_a_command_says_so(
    distribution: str, module: str, tmp_path: Path
) -> None:
    done = hide(tmp_path, (distribution,), (module,)).edgepack("inspect", "int8.tflite")
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith(f"error: {distribution} is not installed: ")


def test_two_lines_install_it() -> None:
    assert documented_lines() == [
        ["pip", "install", "-r", "requirements-light.txt"],
        ["pip", "install", "--no-deps", "."],
    ]


@pytest.mark.slow
def test_the_two_lines_install_all_but_tensorflow_and_its_packages(installed: Light) -> None:
    missing = re.findall(r"requires (\S+), which is not", pip(installed, "check").stdout)
    assert sorted(missing) == sorted(TENSORFLOW_PACKAGES)


def test_tensorflow_and_its_packages_cannot_be_imported(light: Light) -> None:
    for module in MODULES:
        assert f"No module named '{module}'" in light.python("-c", f"import {module}").stderr


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
    light: Light, arguments: tuple[Any, ...], status: int, result: str
) -> None:
    models = ("int8.tflite", "--float", "float.tflite")
    targets = ("--target", PHONE, "--target", "nano-33-ble-sense")
    done = light.edgepack("validate", *models, *targets, "--test", *arguments)
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
    light: Light, tmp_path: Path, arguments: tuple[str, ...], files: tuple[str, ...]
) -> None:
    output = tmp_path / "output"
    done = light.edgepack(*arguments, *(("--output", output) if files else ()))
    assert done.returncode == 0, done.stderr + done.stdout
    for name in files:
        assert [*output.rglob(name)], [*output.rglob("*")]


def test_it_compares_as_the_whole_installation_does(light: Light) -> None:
    arguments = (*COMPARED, "--test", "data.csv", "--config", "columns.toml", "--json")
    done = light.edgepack(*arguments)
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
    light: Light, tmp_path: Path
) -> None:
    arguments = (*COMPARED, "--test", "data.npz", "--output")
    done = light.edgepack(*arguments, tmp_path / "light")
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
    done = light.edgepack("diff", tmp_path / "light", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    assert "NOT WORSE" in done.stdout


def refused(light: Light, subject: str, lacking: tuple[str, ...], *arguments: object) -> None:
    """Hold a command against the one sentence, and against what it must leave alone."""
    before = sorted(light.work.iterdir())
    done = light.edgepack(*arguments)
    said = f"error: {subject} needs TensorFlow {LACKS} {', '.join(lacking)}: pip install edgepack\n"
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
    light: Light, arguments: tuple[str, ...]
) -> None:
    refused(light, arguments[0], TENSORFLOW_PACKAGES, *arguments)


@pytest.mark.parametrize("model", ["model.h5", "model.keras", "saved", "model.json"])
def test_a_comparison_with_a_keras_model_says_that_it_needs_tensorflow(
    light: Light, model: str
) -> None:
    subject = f"{model}: a model other than a .tflite file"
    arguments = ("compare", model, "int8.tflite", "--test", "data.npz", *NEW)
    refused(light, subject, TENSORFLOW_PACKAGES, *arguments)


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
    light: Light, subject: str, arguments: tuple[object, ...]
) -> None:
    refused(light, subject, TENSORFLOW_PACKAGES, *arguments)


def test_the_sentence_names_what_is_missing_among_them(tmp_path: Path) -> None:
    missing = "tensorflow-model-optimization"
    light = hide(tmp_path, (missing,), ("tensorflow_model_optimization",))
    arguments = ("export", "model.h5", "--representative", "data.npz", *NEW)
    refused(with_files(light), "export", (missing,), *arguments)


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


def test_functions_say_it_too(light: Light) -> None:
    lines = light.python("-c", CALLS).stdout.splitlines()
    assert lines[0].startswith(f"export needs TensorFlow {LACKS} h5py")
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
def test_mistakes_are_told_without_a_traceback(light: Light, arguments: tuple[str, ...]) -> None:
    done = light.edgepack(*arguments)
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
