"""edgepack installs, is imported and runs where only a part of Linux's system is there."""

from __future__ import annotations

import ast
import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
from conftest import PHONE, ROOT, missing, need, python
from rooms import modules

from edgepack.load import _with_ending

SCRIPT = "scripts/platforms"
OFFLINE = "error sending request"
WITHOUT_WHEELS = """\
[options]
install_requires =
    click
[options.extras_require]
sound =
    soundfile
dev =
    no-such-package
"""


def resolve(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Resolve requirements; skip the test if the package registry cannot be reached."""
    need("uv")
    done = python(root / SCRIPT, *arguments, timeout=600)
    if OFFLINE in done.stdout:
        missing("the package registry")
    return done


def test_it_installs_on_linux_aarch64_without_the_interpreter_that_has_no_wheel_there() -> None:
    done = resolve(ROOT, "--platform", "linux-aarch64", "--python", "3.11")
    assert done.returncode == 0, done.stdout
    rows = done.stdout.splitlines()
    assert rows[0].split()[:4] == ["edgepack", "linux-aarch64", "3.11", "resolves"]
    assert all(row.endswith("packages, no tflite-micro") for row in rows), done.stdout


@pytest.mark.slow
def test_it_installs_on_every_platform_and_python() -> None:
    done = resolve(ROOT)
    assert done.returncode == 0, done.stdout
    rows = [row.split()[1:] for row in done.stdout.splitlines()]
    for platform, pythons, left_out in (
        ("linux-x86_64", ("3.10", "3.11"), ""),
        ("linux-x86_64", ("3.12", "3.13"), ", no tflite-runtime"),
        ("linux-aarch64", ("3.10", "3.11"), ", no tflite-micro"),
        ("linux-aarch64", ("3.12", "3.13"), ", no tflite-micro, no tflite-runtime"),
        ("macos-arm64", ("3.10", "3.13"), ", no tflite-micro, no tflite-runtime"),
        ("windows-x86_64", ("3.10", "3.13"), ", no tflite-micro, no tflite-runtime"),
    ):
        for python_version in pythons:
            found = [row for row in rows if row[:2] == [platform, python_version]]
            assert found
            for row in found:
                assert re.fullmatch(rf"resolves \d+ packages{left_out}", " ".join(row[2:]))


def test_what_has_no_wheel_on_a_platform_fails(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    (tmp_path / "setup.cfg").write_text(WITHOUT_WHEELS)
    (tmp_path / "requirements-light.txt").write_text("tflite-micro>=0.dev20261023182759\n")
    done = resolve(tmp_path, "--platform", "macos-arm64", "--python", "3.11")
    assert done.returncode == 1
    whole, extras, light = done.stdout.splitlines()
    assert extras.startswith("edgepack[sound] ")
    assert whole.endswith("resolves  1 packages, no tflite-micro, no tflite-runtime")
    assert light.split()[3] == "FAILS"
    assert "tflite-micro" in light
    assert "no wheels with a matching platform tag" in light


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("", 1, "FAILS     0 packages without ai-edge-litert, click"),
        ("click==8.3.0\nflatbuffers==25.12.19", 1, "FAILS     2 packages without ai-edge-litert"),
        ("ai-edge-litert==2.3.0\nclick==8.3.0", 0, "resolves  2 packages, no tflite-micro, no"),
    ],
)
def test_what_resolves_without_a_required_package_fails(
    tmp_path: Path, answer: str, status: int, said: str
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "python").symlink_to(sys.executable)  # beside which the script looks for uv
    (tmp_path / "uv").write_text(f"#!/bin/sh\nprintf %s '{answer}'\n")
    (tmp_path / "uv").chmod(0o755)
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    (tmp_path / "requirements-light.txt").write_text("click\n")
    (tmp_path / "setup.cfg").write_text(
        "[options]\ninstall_requires =\n    ai-edge-litert>=2.3\n    click # a comment\n"
        '    tflite-micro; sys_platform == "linux"\n[options.extras_require]\n'
    )
    done = subprocess.run(
        [tmp_path / "python", tmp_path / SCRIPT, "--platform", "macos-arm64", "--python", "3.11"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout, done.stdout + done.stderr
    assert done.returncode == status


@pytest.fixture
def model(tmp_path: Path) -> Path:
    end = tiny.Value((1, 4))
    (tmp_path / "m.tflite").write_bytes(tiny.one_operator("ABS", [end], [end]))
    return tmp_path / "m.tflite"


def windows(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line, and its worker processes, as on Windows; see tests/windows.py."""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "scripts"))
    return python(*arguments, env=os.environ | {"PYTHONPATH": path}, **options)


def edgepack_on_windows(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = windows(ROOT / "tests" / "windows.py", *arguments, cwd=cwd)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_every_module_is_imported_without_what_only_posix_has() -> None:
    code = (
        "import windows, sys; windows.pretend(); windows.import_all()\n"
        "try: import resource\n"
        "except ImportError: sys.exit(sys.platform)"
    )
    done = windows("-c", code)
    assert done.stderr.strip() == "win32"


def test_inspect_prints_the_same_on_windows(model: Path) -> None:
    done = edgepack_on_windows("inspect", model, cwd=model.parent)
    here = python("-m", "edgepack", "inspect", model, cwd=model.parent)
    assert (done.returncode, done.stdout) == (0, here.stdout)


def test_a_folder_is_written_and_replaced_on_windows_and_nothing_is_left(model: Path) -> None:
    arguments = ("phone", model, "--output", "out")
    for force in ((), ("--force",)):
        done = edgepack_on_windows(*arguments, *force, cwd=model.parent)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in model.parent.iterdir()} == {"m.tflite", "out"}
    assert {path.name for path in (model.parent / "out").iterdir()} == {
        *("manifest.json", "M.kt", "M.swift", "m.tflite")
    }


def test_a_model_runs_on_windows_and_what_is_not_limited_is_said(model: Path) -> None:
    done = edgepack_on_windows("validate", model, "--target", PHONE, "--verbose", cwd=model.parent)
    assert done.returncode == 0, done.stderr
    assert "RUNS on 1 target" in done.stdout
    said = "the memory and time of processes cannot be limited: it is not supported on Windows"
    assert said in done.stderr.splitlines()
    assert said not in done.stdout


def test_a_limit_that_was_set_and_cannot_be_kept_is_said(model: Path) -> None:
    arguments = ("validate", model, "--target", PHONE, "--memory-limit", "2000")
    done = edgepack_on_windows(*arguments, cwd=model.parent)
    assert done.returncode == 0, done.stderr
    said = (
        "note: the memory and time of processes cannot be limited: it is not supported on Windows"
    )
    assert said in " ".join(done.stdout.split())
    assert "cannot be limited" not in python("-m", "edgepack", *arguments, cwd=model.parent).stdout


def test_a_model_without_an_ending_is_copied_where_links_are_not_allowed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "A required privilege is not held by the client")

    with _with_ending(model, ".h5") as linked:
        assert linked.is_symlink()
    monkeypatch.setattr(Path, "symlink_to", refuse)
    with _with_ending(model, ".h5") as copied:
        assert copied.suffix == ".h5"
        assert copied.read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("linux", None),
        ("darwin", "the memory of processes cannot be limited: it is not supported on macOS"),
    ],
)
def test_limits_that_a_system_lacks_are_named(system: str, said: str | None) -> None:
    code = f"import sys; sys.platform = {system!r}; from edgepack.workers import process_limits"
    done = python("-c", f"{code}; print(process_limits.missing_limits())")
    assert done.stdout.strip() == str(said)


def test_texts_are_the_same_bytes_on_every_system() -> None:
    """Unless they are given, the system decides on the encoding and the ends of lines."""
    needed = {"write_text": {"encoding", "newline"}, "read_text": {"encoding"}}
    calls = [
        (module, node, node.func.attr)
        for module, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in needed
    ]
    assert {name for _, _, name in calls} == needed.keys()
    for module, node, name in calls:
        given = {keyword.arg for keyword in node.keywords}
        given |= {"encoding"} if name == "read_text" and node.args else set()
        assert given >= needed[name], f"{module}: {ast.unparse(node)}"
