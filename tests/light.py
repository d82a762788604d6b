"""Installations without TensorFlow: made as README.md says, or this one with TensorFlow hidden."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import ROOT

from edgepack.core.tensorflow_packages import TENSORFLOW_PACKAGES

_PROJECT = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "requirements-light.txt")
_PACKAGES = ("edgepack", "calibration", "targets")

MODULES = tuple(each.module.partition(".")[0] for each in TENSORFLOW_PACKAGES)
_HIDING = """
import importlib.metadata
import sys

MODULES, DISTRIBUTIONS = {modules}, {distributions}


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


def from_name(name):
    if name in DISTRIBUTIONS:
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)


found = importlib.metadata.Distribution.from_name
importlib.metadata.Distribution.from_name = from_name
sys.meta_path.insert(0, Finder())
"""


@dataclass(frozen=True)
class Light:
    """A Python with an installation; its commands run in ``work``, with these ``variables``."""

    interpreter: Path
    work: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def python(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run its Python."""
        return _run(self.interpreter, *arguments, cwd=self.work, env=os.environ | self.variables)

    def edgepack(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run its command line."""
        return self.python("-m", "edgepack", *arguments)


def documented_lines() -> list[list[str]]:
    """Return the commands below README.md's heading "Light installation", as lists of words."""
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"^### Light installation\n.*?```sh\n(.*?)```", text, re.DOTALL | re.M)
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def install(folder: Path) -> Light:
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
    light = Light(environment / "bin" / "python", work)
    for program, *arguments in documented_lines():
        assert program == "pip"
        done = pip(light, *arguments, cwd=clone)
        assert done.returncode == 0, done.stderr
    return light


def pip(light: Light, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run this environment's pip on another, with the versions that the tests run with."""
    settings = {
        "PIP_CONSTRAINT": str(ROOT / "scripts" / "constraints.txt"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COMPILE": "1",  # most of the modules are never imported
    }
    command = (sys.executable, "-m", "pip", "--python", light.interpreter, *arguments)
    return _run(*command, env=os.environ | settings, **options)


def hide(folder: Path, distributions: tuple[str, ...], modules: tuple[str, ...] = MODULES) -> Light:
    """Return this installation with some of its packages hidden, from its processes, too."""
    (folder / "work").mkdir()
    hiding = _HIDING.format(modules=modules, distributions=distributions)
    (folder / "sitecustomize.py").write_text(hiding)
    return Light(Path(sys.executable), folder / "work", {"PYTHONPATH": str(folder)})


def _run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        **{"timeout": 600, **options},
    )
