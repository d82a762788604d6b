"""The arm64 build of tflite-runtime, emulated: its kernels' bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Bundle

from edgepack import Gate, validate
from edgepack.errors import MissingToolError


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made by scripts/arm64, which loads packages."""
    folder = tmp_path_factory.mktemp("arm64") / "root"
    done = subprocess.run(
        [ROOT / "scripts" / "arm64", folder],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode == 3:
        pytest.skip(f"no arm64 build here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_arm64_kernels_are_held_against_the_reference(arm64: Path, cnn: Bundle) -> None:
    gate = Gate(model=cnn.folder / "int8.tflite", targets=("linux-arm64",), arm64=arm64)
    report = validate(gate)
    emulated = report.runtimes["tflite-runtime-arm64"]
    assert emulated.failure is None
    assert emulated.version == report.runtimes["tflite-runtime"].version
    (deviation,) = emulated.deviations.values()
    assert deviation.max_lsb <= 3
    assert emulated.latency is None  # an emulation's time tells nothing


def test_a_folder_without_it_is_refused_with_the_cure(cnn: Bundle, tmp_path: Path) -> None:
    gate = Gate(model=cnn.folder / "int8.tflite", arm64=tmp_path)
    with pytest.raises(MissingToolError, match="make one with scripts/arm64"):
        validate(gate)
