"""The arm64 build of tflite-runtime, emulated: the exact outputs of its kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Bundle
from tiny import Value, one_operator

from edgepack import ValidateConfig, validate
from edgepack.core.errors import MissingToolError
from edgepack.runtimes.arm64 import arm64_runtime


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made by scripts/arm64, which downloads packages."""
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
def test_the_arm64_kernels_are_compared_with_the_reference_kernels(
    arm64: Path, pruned_digits: Bundle
) -> None:
    config = ValidateConfig(
        model=pruned_digits.folder / "int8.tflite", targets=("linux-arm64",), arm64=arm64
    )
    report = validate(config)
    emulated = report.runtimes["tflite-runtime-arm64"]
    assert emulated.failure is None
    assert emulated.version == report.runtimes["tflite-runtime"].version
    (deviation,) = emulated.deviations.values()
    assert deviation.max_lsb <= 3
    assert emulated.latency is None  # the time of an emulation is meaningless


@pytest.mark.slow
def test_a_crash_of_the_arm64_build_alone_is_a_finding(arm64: Path, tmp_path: Path) -> None:
    """Two outputs, a scale for each, no bias: the kernel reads the missing bias."""
    weights = Value((2, 16), "int8", [0.1, 0.1], values=np.ones((2, 16)))
    inputs, output = [Value((1, 16), "int8", 0.1), weights, None], Value((1, 2), "int8", 0.5)
    model = one_operator("FULLY_CONNECTED", inputs, [output], version=4)
    (tmp_path / "dense.tflite").write_bytes(model)
    config = ValidateConfig(model=tmp_path / "dense.tflite", targets=("linux-arm64",), arm64=arm64)
    (target,) = validate(config).targets.values()
    (reason,) = target.verdict.reasons
    assert reason.startswith(
        "tflite-runtime-arm64 fails: tflite-runtime-arm64 was killed by SIGSEGV"
    )


def test_a_folder_without_it_is_refused_with_the_cure(cnn: Bundle, tmp_path: Path) -> None:
    config = ValidateConfig(model=cnn.folder / "int8.tflite", arm64=tmp_path)
    with pytest.raises(MissingToolError, match="make one with scripts/arm64"):
        validate(config)


def test_a_folder_without_the_build_is_refused_with_what_makes_one(tmp_path: Path) -> None:
    for name in ("empty", "unfinished"):
        folder = tmp_path / name
        (folder / "site").mkdir(parents=True)
        if name == "unfinished":
            (folder / "qemu-aarch64").write_text("")
            (folder / "qemu-aarch64").chmod(0o755)
        with pytest.raises(
            MissingToolError, match=r"no arm64 build .*; make one with scripts/arm64"
        ):
            arm64_runtime(folder)
