"""The scripts say what is missing."""

from __future__ import annotations

import ast
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, need
from packaging.requirements import Requirement

TOOLS = ("sh", "dirname", "basename", "cat", "cksum", "mkdir", "rm", "chmod")

PYTHON = f"""#!/bin/sh
case $1 in
-c) exec {sys.executable} -c "import sys; sys.version_info = (3, VERSION, 0)
sys._base_executable = '$0'
$2" ;;
--version) echo Python 3.VERSION.0 ;;
*) exit 1 ;;
esac
"""
"""A Python of another version, which says so and does no more."""

UV = f"""#!/bin/sh
echo "$@" >>uv.log
[ "$1" = venv ] || exit 0
mkdir -p .venv/bin
cat >.venv/bin/python <<END
#!/bin/sh
[ "\\$1" = --version ] && exec $6 --version
exec {sys.executable} "\\$@"
END
chmod +x .venv/bin/python
"""
"""A uv that writes down what it is asked for, and makes an environment in which all is there."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the scripts, and a path that holds the shell's own tools only."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "edgepack").symlink_to(ROOT / "edgepack")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def add(clone: Path, program: str, text: str) -> Path:
    """Put a program on the path."""
    path = clone / "bin" / program
    path.write_text(text)
    path.chmod(0o755)
    return path


def add_python(clone: Path, minor: int, name: str = "python3") -> Path:
    return add(clone, name, PYTHON.replace("VERSION", str(minor)))


def run(clone: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "scripts" / script],
        env={"PATH": str(clone / "bin"), "HOME": os.environ.get("HOME", "/")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


COMMANDS = pytest.mark.parametrize("script", ["test", "quickstart"])


@COMMANDS
@pytest.mark.parametrize("minor", [9, 14])
def test_without_python_3_10_to_3_13_they_say_so(clone: Path, script: str, minor: int) -> None:
    add_python(clone, minor)
    done = run(clone, script, CC="sh")
    assert done.returncode == 3
    assert done.stderr.startswith(f"{script}: needs Python 3.10 to 3.13, on the path or named: ")
    assert "PYTHON=/path/to/python3.11" in done.stderr


@COMMANDS
@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_python_3_10_to_3_13_are_taken(clone: Path, script: str, minor: int) -> None:
    add_python(clone, minor)
    done = run(clone, script, CC="sh")
    assert f"making .venv with Python 3.{minor}.0: " in done.stderr
    assert "apt-get install python3-venv" in done.stderr.splitlines()[-1]
    assert done.returncode == 3


def test_the_named_python_is_taken_or_else_the_one_that_has_every_interpreter(clone: Path) -> None:
    named = add_python(clone, 13, "mine")
    for minor in (13, 12, 10, 11):  # each is preferred to those before it
        add_python(clone, minor, f"python3.{minor}")
        assert f"making .venv with Python 3.{minor}.0: " in run(clone, "quickstart").stderr
    done = run(clone, "quickstart", PYTHON=str(named))
    assert "making .venv with Python 3.13.0: " in done.stderr


def test_the_quickstart_says_first_what_it_does_and_how_long_it_takes(clone: Path) -> None:
    first, *others = run(clone, "quickstart").stdout.splitlines()
    assert others == []  # said before anything is looked for
    assert first.startswith("Trains a small CNN on handwritten digits, prunes it, and exports it")
    assert "about a minute, and another minute or two to install" in first


def test_without_a_c_compiler_the_tests_say_so_and_the_quickstart_goes_on(clone: Path) -> None:
    add_python(clone, 11)
    done = run(clone, "test")
    assert done.returncode == 3
    assert done.stderr.startswith("test: needs a C compiler")
    assert "making .venv" in run(clone, "quickstart").stderr


def test_uv_installs_where_there_is_one_and_the_tests_complete_the_quickstart(clone: Path) -> None:
    add(clone, "uv", UV)
    python = add_python(clone, 12)
    (clone / "scripts" / "digits.py").write_text("raise SystemExit")
    installs = "pip install --quiet --python .venv/bin/python --constraint scripts/constraints.txt "
    for _ in range(2):  # the second finds all there
        run(clone, "quickstart", PYTHON=str(python))
        asked = (clone / "uv.log").read_text().splitlines()
        assert asked == [
            f"venv --quiet --seed --allow-existing --python {python} .venv",
            f"{installs}--editable .",
        ]
    run(clone, "test", PYTHON=str(python), CC="sh")
    added = (clone / "uv.log").read_text().splitlines()[2:]
    assert added[0] == f"{installs}--editable .[dev]"
    assert added[1].endswith(" --target .venv/metadata-reader tflite-support")
    run(clone, "quickstart", PYTHON=str(python))
    run(clone, "test", CC="sh")  # with the same Python, since none is named
    assert (clone / "uv.log").read_text().splitlines()[2:] == added
    other = add_python(clone, 13, "other")
    assert (
        "making .venv with Python 3.13.0" in run(clone, "test", PYTHON=str(other), CC="sh").stderr
    )


def test_an_environment_of_the_users_own_is_not_replaced(clone: Path) -> None:
    add_python(clone, 11)
    (clone / ".venv").mkdir()
    (clone / ".venv" / "mine").touch()
    done = run(clone, "quickstart")
    assert done.returncode == 3
    assert ".venv was not made by this script, which would replace it; move it away" in done.stderr
    assert (clone / ".venv" / "mine").exists()
    (clone / ".venv").rename(clone / "moved")
    assert "making .venv" in run(clone, "quickstart").stderr
    assert "making .venv" in run(clone, "quickstart").stderr  # the first was not finished


FIRST_WAITS = """
import pathlib, time
try:
    pathlib.Path("running").touch(exist_ok=False)
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
except FileExistsError:
    pass
raise SystemExit
"""
"""A quickstart whose first run goes on until it is told to end."""

SLOW_UV = UV.replace("= venv ] || exit 0", "= venv ] || exec sleep 1")


def test_scripts_that_run_at_once_make_one_environment(clone: Path) -> None:
    (clone / "bin" / "flock").symlink_to(need("flock"))
    (clone / "bin" / "sleep").symlink_to(need("sleep"))
    add(clone, "uv", SLOW_UV)
    python = add_python(clone, 12)
    (clone / "scripts" / "digits.py").write_text(FIRST_WAITS)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(run, clone, "quickstart", PYTHON=str(python)) for _ in range(2)]
        try:
            next(as_completed(both, timeout=60))  # it has waited for .venv only
            assert (clone / "running").exists()
            assert not all(each.done() for each in both)
        finally:
            (clone / "go").touch()
    said = [each.result().stderr for each in both]
    assert (clone / "uv.log").read_text().count("--editable .\n") == 1
    assert sum("making .venv" in each for each in said) == 1
    assert sum("waiting for another script that makes or uses .venv" in each for each in said) == 1


def test_an_environment_in_use_is_not_made_again_until_it_is_free(clone: Path) -> None:
    (clone / "bin" / "flock").symlink_to(need("flock"))
    add(clone, "uv", UV)
    (clone / "scripts" / "digits.py").write_text("raise SystemExit")
    run(clone, "quickstart", PYTHON=str(add_python(clone, 12)))
    newer = str(add_python(clone, 13, "newer"))
    with (clone / "scripts" / "environment").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as a script that uses it
        with ThreadPoolExecutor() as pool:
            same = pool.submit(run, clone, "quickstart").result()
            assert "waiting" not in same.stderr
            other = pool.submit(run, clone, "quickstart", PYTHON=newer)
            with pytest.raises(FutureTimeoutError):
                other.result(timeout=1)
            assert (clone / "uv.log").read_text().count("venv --quiet") == 1
            fcntl.flock(file, fcntl.LOCK_UN)
    assert "making .venv with Python 3.13.0" in other.result().stderr


def test_a_named_python_that_does_not_do_is_refused(clone: Path) -> None:
    add_python(clone, 11)
    old = add_python(clone, 9, "old")
    for named in (str(old), "/nonexistent", str(shutil.which("true"))):
        done = run(clone, "quickstart", PYTHON=named)
        assert "needs Python 3.10 to 3.13, on the path or named" in done.stderr


def test_the_python_of_the_environment_itself_is_not_lost_when_it_is_made_again(
    clone: Path,
) -> None:
    add(clone, "uv", UV)
    add_python(clone, 12)
    (clone / "scripts" / "digits.py").write_text("raise SystemExit")
    run(clone, "quickstart")
    with (clone / "setup.cfg").open("a") as file:
        file.write("# changed\n")
    done = run(clone, "quickstart", PYTHON=".venv/bin/python")
    assert "making .venv with Python 3." in done.stderr
    assert "--python .venv/bin/python .venv" not in (clone / "uv.log").read_text()
    assert (clone / ".venv" / "bin" / "python").exists()


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_every_package_has_one_version_for_each_python(minor: int) -> None:
    python = {"python_version": f"3.{minor}"}
    lines = (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    names = Counter(pin.name for pin in pins if not pin.marker or pin.marker.evaluate(python))
    assert set(names.values()) == {1}
    assert {pin.name for pin in pins} - names.keys() <= {
        *("exceptiongroup", "narwhals", "tomli"),
        *("tflite-runtime", "tflite-support"),
    }


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


def test_ruff_reads_every_script_of_python() -> None:
    """Those whose names do not end in .py are listed."""
    listed = re.findall(
        r'^    "(scripts/.*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    of_python = [
        path.relative_to(ROOT).as_posix()
        for path in SCRIPTS
        if not path.suffix and path.read_text().startswith("#!/usr/bin/env python")
    ]
    assert sorted(listed) == of_python


def test_every_script_is_documented() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    for path in (ROOT / "scripts").iterdir():
        if path.is_file() and os.access(path, os.X_OK):
            assert f"scripts/{path.name}" in text
