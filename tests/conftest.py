from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
import pytest
from report_differences import DifferenceOf, Write

from edgepack.calibration.activations.calibrator import Calibrator, start_calibrator
from edgepack.config.diff import DiffConfig
from edgepack.pipeline.diff import diff
from edgepack.runtimes import REFERENCE, RUNTIMES
from edgepack.storage.text_files import write_json

ROOT = Path(__file__).resolve().parents[1]
MLPERF = ROOT.parent / "shared" / "data" / "mlperf_tiny"

HAS_TFLITE_RUNTIME = sys.version_info < (3, 12)
"""Whether tflite-runtime has a wheel for this Python; where it has one, its absence is a fault."""

AVAILABLE = [
    runtime
    for runtime in (REFERENCE, *RUNTIMES.values())
    if HAS_TFLITE_RUNTIME or runtime.distribution != "tflite-runtime"
]
"""The runtimes that the tests run with on this Python, the reference kernels first."""

INTERPRETERS = RUNTIMES.keys() & {runtime.name for runtime in AVAILABLE}
"""The names of those that devices run."""

BIT_EXACT = 0 if HAS_TFLITE_RUNTIME else None
"""What :func:`lsb` returns for exact outputs: None without the reference kernels."""

PHONE = "android-arm64" if HAS_TFLITE_RUNTIME else "galaxy-a55"
"""A phone all of whose interpreters are available."""

ON_PHONES = "passed" if HAS_TFLITE_RUNTIME else "not checked"
"""The verdict of android-arm64, which runs tflite-runtime too, on what passes everywhere else."""

PHONE_NOT_CHECKED = "NOT CHECKED on android-arm64 (tflite-runtime is not installed)"
"""The outcome for android-arm64 where it has none."""

needs_tflite_runtime = pytest.mark.skipif(
    not HAS_TFLITE_RUNTIME,
    reason="tflite-runtime, with the reference kernels, has no wheel for Python 3.12 and later",
)
"""Marks tests whose subject is tflite-runtime or its kernels; others do without, and adapt."""

# Processes that a shell starts in the background ignore Ctrl-C, and so would their children.
signal.signal(signal.SIGINT, signal.default_int_handler)

Edgepack = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let each test draw the same numbers from its module's RANDOM, whatever ran before it."""
    random = getattr(getattr(item, "module", None), "RANDOM", None)
    if isinstance(random, np.random.Generator):
        random.bit_generator.state = np.random.default_rng(1).bit_generator.state


def missing(tool: str) -> NoReturn:
    """Skip a test because a tool is missing, but fail it in CI, where the tool is required."""
    if os.environ.get("CI"):
        pytest.fail(f"{tool} is required here and missing")
    pytest.skip(f"{tool} not found")


def mlperf_path(*parts: str) -> Path:
    """Return a path in MLPerf Tiny's data; skip the test if it is not there."""
    path = MLPERF.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the MLPerf Tiny models are not at {MLPERF}")
    return path


def reference_model(name: str) -> Path:
    """Return the path of an int8 model of MLPerf Tiny; skip the test if it is not there."""
    return mlperf_path(name, "reference_int8.tflite")


def need(tool: str) -> str:
    """Return the path of a program, also beside this Python; without it, skip or fail the test."""
    beside = Path(sys.executable).parent
    return shutil.which(tool) or shutil.which(tool, path=beside) or missing(tool)


def python(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run this Python in a process of its own, and capture its output."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **{"timeout": 300, **options},
    )


@pytest.fixture
def edgepack(tmp_path: Path) -> Edgepack:
    """Run the command line as a user does, in an empty folder."""
    folder = tmp_path / "cwd"
    folder.mkdir()

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return python("-m", "edgepack", *arguments, **{"cwd": folder, **options})

    return run


class Stopped(click.ClickException):
    """A command has read its options, and would start its work now."""


PIPELINES = (
    *(
        "exporting.export.export_repeating",
        "exporting.quantize.quantize_repeating",
        "comparison.compare.compare",
    ),
    *("validation.validate.validate", "firmware_project.firmware.firmware"),
    *("debug.debug_repeating", "lint.lint", "phone.phone"),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, which is not the working folder."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "project"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configurations that commands would work with, which they do not."""
    collected: list[Any] = []

    def collect(config: Any, *_: Any, **__: Any) -> None:
        collected.append(config)
        raise Stopped("stopped")

    for function in PIPELINES:
        monkeypatch.setattr(f"edgepack.pipeline.{function}", collect)
    return collected


def script(name: str, folder: Path) -> Path:
    """Run a script of the project that fills a folder."""
    done = python(ROOT / name, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def data_check() -> dict[str, Any]:
    """The results of tests/data_check.py, of data that need TensorFlow."""
    return told_by("data_check.py")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models and data (tests/models.py)."""
    return script("tests/models.py", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits.h5, train.npz, calibration.npz and test.npz."""
    return script("scripts/digits.py", tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with NAME.tflite, NAME.npy and NAME.recorded.tflite (tests/calibrated.py)."""
    return script("tests/calibrated.py", tmp_path_factory.mktemp("calibrated"))


@pytest.fixture(scope="module")
def calibrator() -> Iterator[Calibrator]:
    """A calibrator whose worker processes all tests of a module use."""
    with start_calibrator() as calibrator:
        yield calibrator


@pytest.fixture(scope="session")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model in every scheme (tests/quantized.py)."""
    return script("tests/quantized.py", tmp_path_factory.mktemp("quantized"))


def told_by(name: str) -> dict[str, Any]:
    """Run a test script that needs TensorFlow; returns its results, a last line of JSON."""
    done = python(ROOT / "tests" / name)
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return results


@dataclass(frozen=True)
class Bundle:
    """An exported folder, its report, and what the command printed."""

    folder: Path
    report: dict[str, Any]
    stdout: str
    stderr: str


def only(report: dict[str, Any]) -> dict[str, Any]:
    """Return the comparison of a model's only output."""
    (output,) = report["comparison"]["outputs"].values()
    return output


def lsb(report: dict[str, Any], runtime: str) -> int | None:
    """Return a runtime's largest deviation from the reference kernels; None if not compared."""
    deviations = report["runtimes"][runtime]["deviations"].values()
    return max((deviation["max_lsb"] for deviation in deviations), default=None)


def files(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def export(folder: Path, model: Path, *arguments: object, **options: Any) -> Bundle:
    """Export a model that must pass; options are those of :func:`python`."""
    done = python("-m", "edgepack", "export", model, *arguments, "--output", folder, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads((folder / "report.json").read_text())
    return Bundle(folder, report, done.stdout, done.stderr)


def export_pruned(folder: Path, digits: Path, **options: Any) -> Bundle:
    """Export the digits model, pruned by half, for both targets."""
    return export(
        folder,
        digits / "digits.h5",
        *("--representative", digits / "calibration.npz", "--test", digits / "test.npz"),
        *("--train", digits / "train.npz", "--sparsity", 0.5, "--epochs", 3),
        **options,
    )


@pytest.fixture(scope="session")
def pruned_digits(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The digits model, pruned by half and exported for both targets."""
    return export_pruned(tmp_path_factory.mktemp("exports") / "digits", digits)


@pytest.fixture(scope="session")
def cnn(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small CNN with depthwise and pointwise layers, exported without labels or pruning."""
    return export(
        tmp_path_factory.mktemp("exports") / "cnn",
        models / "cnn.h5",
        *("--representative", models / "cnn.npz"),
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, for :func:`browser.visit`; started only once, which takes a second."""
    from browser import opened

    with opened() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def mlperf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLPerf Tiny's data, prepared as a user would: kws_*.npz and ic_*.npz of real values."""
    mlperf_path()
    folder = tmp_path_factory.mktemp("mlperf")
    for name in ("calibration", "test"):
        arrays = np.load(MLPERF / "kws" / f"{name}_int8.npz")
        real = (arrays["x"].astype(np.float32) - 83) * np.float32(0.5847029089927673)
        np.savez(folder / f"kws_{name}.npz", x=real, y=arrays["y"])
    images = np.load(MLPERF / "ic" / "train.npz")["x"][:200]
    np.savez(folder / "ic_calibration.npz", x=images.astype(np.float32))
    return folder


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let arrays be read in blocks of a few samples."""
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 100)


@pytest.fixture
def write_report(tmp_path: Path) -> Write:
    """Return a function that writes a report, as its command does, into a folder of that name."""

    def write(name: str, report: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        write_json(folder / "report.json", report.to_dict())
        return folder

    return write


@pytest.fixture
def difference_of(write_report: Write) -> DifferenceOf:
    """Return a function that writes two reports and compares them."""
    return lambda a, b: diff(DiffConfig(a=write_report("a", a), b=write_report("b", b)))
