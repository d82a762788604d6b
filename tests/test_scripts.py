"""The scripts say what is missing."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
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


def imported(path: Path) -> list[tuple[str, str]]:
    """Find what a Python script imports from edgepack, also in the programs that it starts."""
    text = path.read_text()
    if path.suffix != ".py" and not text.startswith("#!/usr/bin/env python"):
        return []
    tree = ast.parse(text)
    return [
        (node.module, alias.name)
        for program in (tree, *programs(tree))
        for node in ast.walk(program)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("edgepack")
        for alias in node.names
    ]


def programs(tree: ast.AST) -> Iterator[ast.AST]:
    """Parse the strings that are programs of Python."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and "import" in str(node.value):
            with suppress(SyntaxError):
                yield ast.parse(str(node.value))


SCRIPTS = sorted(path for path in (ROOT / "scripts").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "script",
    [path for path in SCRIPTS if "__pycache__" not in path.parts],
    ids=lambda path: path.name,
)
def test_what_scripts_import_is_there(script: Path) -> None:
    for module, name in imported(script):
        found = importlib.import_module(module)
        is_module = hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.{name}")
        assert hasattr(found, name) or is_module, (
            f"{script} imports {name} of {module}, which has none: write where it is now"
        )


def test_every_script_is_documented() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    for path in (ROOT / "scripts").iterdir():
        if path.is_file() and os.access(path, os.X_OK):
            assert f"scripts/{path.name}" in text
