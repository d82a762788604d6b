"""Installs edgepack without TensorFlow, as README.md says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import ROOT
from environments import Environment

_PROJECT = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "requirements-light.txt")
_PACKAGES = ("edgepack", "calibration", "targets")


def documented_lines() -> list[list[str]]:
    """Return the commands below README.md's heading "Light installation", as lists of words."""
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"^### Light installation\n.*?```sh\n(.*?)```", text, re.DOTALL | re.M)
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def install(folder: Path) -> Environment:
    """Install edgepack as documented, from a copy of the project without what was built in it."""
    environment, clone, work = (folder / name for name in ("environment", "clone", "work"))
    clone.mkdir()
    work.mkdir()
    for name in _PROJECT:
        shutil.copy(ROOT / name, clone)
    for name in _PACKAGES:
        built = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, clone / name, symlinks=True, ignore=built)
    made = _run(sys.executable, "-m", "venv", "--without-pip", environment)
    assert made.returncode == 0, made.stderr
    light = Environment(environment, work)
    for program, *arguments in documented_lines():
        assert program == "pip"
        done = pip(light, *arguments, cwd=clone)
        assert done.returncode == 0, done.stderr
    return light


def pip(light: Environment, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run this environment's pip on another, with the versions that the tests run with."""
    settings = {
        "PIP_CONSTRAINT": str(ROOT / "scripts" / "constraints.txt"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COMPILE": "1",  # most of the modules are never imported
    }
    command = (sys.executable, "-m", "pip", "--python", light.python, *arguments)
    return _run(*command, env=os.environ | settings, **options)


def _run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        **{"timeout": 600, **options},
    )
