"""The scripts say what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

TOOLS = ("sh", "dirname", "basename", "cat", "cksum", "mkdir")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the scripts, and a path that holds the shell's own tools only."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def run(clone: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "scripts" / script],
        env={"PATH": str(clone / "bin"), "HOME": os.environ.get("HOME", "/")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", ["test", "quickstart"])
def test_without_python_3_10_or_3_11_they_say_so(clone: Path, script: str) -> None:
    old = clone / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run(clone, script)
    assert done.returncode == 3
    assert done.stderr.startswith(f"{script}: needs Python 3.10 or 3.11 on the path")
    assert "PYTHON=/path/to/python3.11" in done.stderr


@pytest.mark.parametrize("script", ["test", "quickstart"])
def test_without_a_c_compiler_they_say_so(clone: Path, script: str) -> None:
    done = run(clone, script, PYTHON=sys.executable)
    assert done.returncode == 3
    assert done.stderr.startswith(f"{script}: needs a C compiler")


def test_every_script_is_documented() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    for path in (ROOT / "scripts").iterdir():
        if path.is_file() and os.access(path, os.X_OK):
            assert f"scripts/{path.name}" in text
