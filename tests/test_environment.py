"""In any environment, a command exits with the right status and a one-line error message."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from conftest import PHONE

from edgepack.cli import _interrupt

EDGEPACK = f"'{sys.executable}' -m edgepack"
LIGHT = {
    "help": "--help",
    "inspect": "inspect model.tflite",
    "phone": "phone model.tflite --output out",
}
"""One command of each kind: what click prints, a result, and a folder."""

HEAVY = {
    "targets": "targets",
    "validate": f"validate model.tflite --target {PHONE}",
    "firmware": "firmware model.tflite --target nano-33-ble-sense --output out",
    "diff": "diff a b",
    "lint": "lint model.h5 data.npz",
    "compare": "compare model.h5 int8.tflite --test data.npz",
    "study": "study model.h5 --test data.npz --bits 8 --output out",
    "debug": "debug model.h5 --representative data.npz",
    "quantize": "quantize model.h5 --representative data.npz --output out",
    "export": "export model.h5 --representative data.npz --output out",
}
REFUSED = 2


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A working folder with a model."""
    folder = tmp_path / "place"
    folder.mkdir()
    end = tiny.Value((1, 4))
    (folder / "model.tflite").write_bytes(tiny.one_operator("ABS", [end], [end]))
    return folder


@pytest.fixture
def full_place(place: Path, models: Path, cnn: object) -> Path:
    """A working folder with the inputs of every command."""
    bundle: Path = cnn.folder  # type: ignore[attr-defined]
    for link, target in (
        ("model.h5", models / "cnn.h5"),
        ("data.npz", models / "cnn.npz"),
        ("int8.tflite", bundle / "int8.tflite"),
        ("a", bundle),
        ("b", bundle),
    ):
        (place / link).symlink_to(target)
    return place


def shell(place: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command line of Bash, with a timeout."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=place,
        env=os.environ | {"TMPDIR": str(place.parent)} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


def is_written(place: Path, command: str) -> bool:
    """Whether a command has written its folder completely; True if it writes none."""
    return "--output" not in command or (place / "out" / "manifest.json").is_file()


@pytest.mark.parametrize("to", ["2>&-", "2>/dev/full", "2> >(exec true)"])
def test_a_standard_error_that_cannot_be_written_changes_nothing(place: Path, to: str) -> None:
    for command in LIGHT.values():
        done = shell(place, f"{EDGEPACK} {command} {to}")
        assert (done.returncode, done.stdout != "") == (0, True)
        assert is_written(place, command)
    wrong = shell(place, f"{EDGEPACK} inspect gone.tflite {to}")
    assert (wrong.returncode, wrong.stdout) == (REFUSED, "")


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize(("to", "why"), [(">&-", "Bad file"), (">/dev/full", "No space left")])
def test_a_result_that_cannot_be_printed_is_an_error(
    place: Path, name: str, to: str, why: str
) -> None:
    done = shell(place, f"{EDGEPACK} {LIGHT[name]} {to}")
    assert done.returncode == REFUSED
    last = done.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        rf"error: standard output cannot be written: {why}.*; the work itself is complete", last
    )
    assert is_written(place, LIGHT[name])


@pytest.mark.parametrize("name", LIGHT)
def test_a_reader_that_closes_the_pipe_is_not_an_error(place: Path, name: str) -> None:
    done = shell(place, f"{EDGEPACK} {LIGHT[name]} | head -c 1")
    assert (done.returncode, len(done.stdout)) == (0, 1)
    assert is_written(place, LIGHT[name])


def test_a_failure_remains_one_when_the_reader_closes_the_pipe(place: Path) -> None:
    (place / "model.tflite").write_bytes(b"TFL3")
    assert shell(place, f"{EDGEPACK} inspect model.tflite 2>&1 | head -c 1").returncode == REFUSED


@pytest.mark.parametrize("name", LIGHT)
def test_missing_streams_are_reported_by_the_status(place: Path, name: str) -> None:
    done = shell(place, f"{EDGEPACK} {LIGHT[name]} <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (REFUSED, "", "")
    assert is_written(place, LIGHT[name])


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": ""},
        {"HOME": "/proc"},
        {"HOME": "relative"},
        {"XDG_CACHE_HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null"},
        {"XDG_CACHE_HOME": "relative", "XDG_CONFIG_HOME": "relative"},
        {"TMPDIR": "/proc"},
        {"TMPDIR": "/dev/null"},
        {"TMPDIR": "relative"},
    ],
    ids=str,
)
def test_unusable_user_folders_do_no_harm(place: Path, variables: dict[str, str]) -> None:
    for command in ("targets", LIGHT["phone"]):
        done = shell(place, f"{EDGEPACK} {command}", **variables)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in place.iterdir()} == {"model.tflite", "out"}


def test_a_user_needs_no_home(place: Path) -> None:
    """Neither the environment nor the system has a home folder."""
    code = (
        "import pathlib, sys; from edgepack.cli import main\n"
        "def nowhere(*_): raise RuntimeError('no home')\n"
        "pathlib.Path.home = nowhere; sys.argv[1:] = ['targets']; main()"
    )
    assert shell(place, f"'{sys.executable}' -c \"{code}\"").returncode == 0


def test_a_working_folder_that_was_removed_does_no_harm(place: Path) -> None:
    (place / "gone").mkdir()
    enter = "cd gone; rmdir ../gone; exec"
    for command in ("--help", "targets", f"inspect '{place}/model.tflite'"):
        assert shell(place, f"mkdir -p gone; {enter} {EDGEPACK} {command}").returncode == 0
    refused = shell(
        place, f"mkdir -p gone; {enter} {EDGEPACK} phone '{place}/model.tflite' --output x"
    )
    assert refused.returncode == REFUSED
    assert re.fullmatch(r"error: .*x: cannot be written: .*\n", refused.stderr)
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("name", ["inspect", "validate", "firmware"])
@pytest.mark.parametrize("limit", ["-n 8", "-v 100000", "-v 200000"])
def test_a_low_limit_is_named_or_sufficient(place: Path, name: str, limit: str) -> None:
    require_named_or_sufficient(place, (LIGHT | HEAVY)[name], limit)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
@pytest.mark.parametrize(
    "limit",
    ["-n 8", "-n 32", "-v 1000000", "-v 4000000"],
)
def test_a_low_limit_is_named_or_sufficient_with_every_command(
    full_place: Path, name: str, limit: str
) -> None:
    require_named_or_sufficient(full_place, HEAVY[name], limit)


def require_named_or_sufficient(place: Path, command: str, limit: str) -> None:
    done = shell(place, f"ulimit {limit}; exec {EDGEPACK} {command}")
    if done.stdout:  # a result, passed or failed
        assert done.returncode in (0, 1)
        assert is_written(place, command)
        return
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode in (1, REFUSED), done.stderr
    # OpenBLAS, which numpy loads in the command's own process, ends it in words of its own.
    assert re.match(r"error: .*(ulimit|memory|killed by)|OpenBLAS error: Memory", last), done.stderr
    assert not (place / "out").exists()
    assert not [path for path in place.parent.iterdir() if path != place]


def test_a_full_folder_for_temporary_files_is_reported_with_the_cure(place: Path) -> None:
    """Temporary files are on a full disk that is mounted for this process only."""
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("no disk can be mounted for the test alone")
    script = (
        "mkdir disk; mount -t tmpfs -o size=16k none disk || exit 77;"
        f" TMPDIR=$PWD/disk exec {EDGEPACK} validate model.tflite"
    )
    done = shell(place, f'unshare --mount bash -c "{script}"')
    if done.returncode == 77:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert re.fullmatch(
        r"error: .*disk.*: cannot be written: .*; free space, or set TMPDIR to another folder",
        done.stderr.strip().splitlines()[-1],
    )


def test_a_lost_interruption_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python loses exceptions in ``__del__``, including KeyboardInterrupt."""
    now = [100.0]
    monkeypatch.setattr("edgepack.cli.time.monotonic", lambda: now[0])
    monkeypatch.setattr("edgepack.cli._ignored_until", 0.0)
    with pytest.raises(KeyboardInterrupt):
        _interrupt(signal.SIGINT, None)
    now[0] += 1.0
    _interrupt(signal.SIGINT, None)  # the first is still being handled
    now[0] += 10.0
    with pytest.raises(KeyboardInterrupt):
        _interrupt(signal.SIGINT, None)
