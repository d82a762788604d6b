"""Without one package, a command says in one sentence what is lost, only where that is needed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import pytest
from classifiers import write_classifiers
from conftest import ROOT
from environments import Environment, make_environment

from edgepack.core.packages import (
    H5PY,
    KERAS,
    REQUIRED,
    SCIKIT_LEARN,
    TENSORFLOW,
    TF_KERAS,
    TFMOT,
    Package,
    lacking_package,
)
from edgepack.pipeline.needed_packages import CANNOT_WORK, IN_PART

(CLICK,) = (each for each in REQUIRED if each.distribution == "click")
DATA = ("--representative", "cnn.npz")
UNSAFE = "--allow-unsafe"  # links lead out of what a process may read otherwise
COMMANDS: dict[str, tuple[str, ...]] = {
    "Keras 2": ("export", "cnn.h5", *DATA, UNSAFE),
    "Keras 3": ("export", "cnn3.keras", *DATA, UNSAFE),
    "SavedModel": ("export", "cnn_saved_model", *DATA, UNSAFE),
    "float file": ("export", "float.tflite", "--representative", "data.npz", UNSAFE),
    "pruning": ("export", "cnn.h5", *DATA, "--sparsity", "0.5", UNSAFE),
    "folds": ("compare", "float.tflite", "int8.tflite", "--test", "data.npz", "--folds", "3"),
}
LOST = {
    H5PY: {"Keras 2", "Keras 3", "pruning"},  # whose files are .h5 and .keras
    KERAS: {"Keras 3"},
    SCIKIT_LEARN: {"folds"},
    TFMOT: {"pruning"},
    TF_KERAS: {"Keras 2", "SavedModel", "pruning"},
}

Make = Callable[[str], Environment]


@pytest.fixture
def make(tmp_path: Path, models: Path) -> Make:
    """Make an environment without a package, in whose working folder there are models and data."""
    work = tmp_path / "work"
    work.mkdir()
    for name in ("cnn.h5", "cnn3.keras", "cnn_saved_model", "cnn.npz"):
        (work / name).symlink_to(models / name)
    write_classifiers(work)
    return lambda name: make_environment(tmp_path / "environment", without=[name], work=work)


def run(environment: Environment, name: str) -> subprocess.CompletedProcess[str]:
    done = environment.run(*COMMANDS[name], "--output", "out")
    assert "Traceback" not in done.stderr, done.stderr
    return done


def output(environment: Environment) -> Path:
    assert environment.work
    return environment.work / "out"


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package, names in LOST.items() for name in sorted(names)],
    ids=lambda each: each.distribution if isinstance(each, Package) else each,
)
def test_what_needs_the_missing_package_says_so(make: Make, package: Package, name: str) -> None:
    environment = make(package.distribution)
    done = run(environment, name)
    assert done.returncode == 3, done.stderr
    assert done.stderr.endswith(f"{package.lack}\n")
    assert done.stderr.count("error: ") == 1
    assert not output(environment).exists()
    command, *_ = COMMANDS[name]
    assert command in IN_PART[package.distribution]


@pytest.mark.slow
@pytest.mark.parametrize("package", LOST, ids=lambda each: each.distribution)
def test_what_does_not_need_the_missing_package_works(make: Make, package: Package) -> None:
    environment = make(package.distribution)
    for name in COMMANDS.keys() - LOST[package]:
        assert run(environment, name).returncode in (0, 1), name
        assert (output(environment) / "manifest.json").is_file()
        shutil.rmtree(output(environment))


def test_a_tensorflow_of_another_distribution_is_used_and_recorded(make: Make) -> None:
    environment = make("nothing")
    environment.rename("tensorflow", "tensorflow-cpu")
    done = run(environment, "float file")
    assert done.returncode == 0, done.stderr
    manifest = (output(environment) / "manifest.json").read_text()
    assert f'"tensorflow": "{TENSORFLOW.version()}"' in manifest


def test_edgepack_that_runs_from_a_copy_writes_manifests(make: Make) -> None:
    environment = make("edgepack")
    done = environment.run(
        *("phone", "int8.tflite", "--output", "out"), variables={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert '"edgepack": "' in (output(environment) / "manifest.json").read_text()


def entry_point() -> str:
    """Return the program that installing edgepack makes of the entry point in setup.cfg."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    name, function = setup["options.entry_points"]["console_scripts"].split(" = ")
    assert name.strip() == "edgepack"
    module, _, function = function.partition(":")
    return f"import sys; from {module} import {function}; sys.exit({function}())"


@pytest.mark.parametrize("program", [("-m", "edgepack"), ("-c", entry_point())])
def test_without_click_there_is_one_sentence(make: Make, program: tuple[str, ...]) -> None:
    done = make("click").call(*program, "inspect", "int8.tflite")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: {CLICK.lack}\n"
    assert {"inspect", "targets"} <= {*CANNOT_WORK["click"]}


def test_a_package_with_damaged_metadata_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "thing-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("garbage")
    (metadata / "top_level.txt").write_text("thing")
    (tmp_path / "thing.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(distribution="thing", module="thing", lost="")
    assert (package.is_there(), package.version()) == (True, None)


def test_a_module_that_an_installed_package_does_not_have_is_another_error() -> None:
    gone = ModuleNotFoundError("No module named 'numpy.gone'", name="numpy.gone")
    assert lacking_package(gone) is None
