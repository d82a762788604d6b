"""Temporary folders are always cleaned up, but never while a process uses them."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgepack.core import temporary_folders
from edgepack.core.errors import OutputError
from edgepack.core.temporary_folders import TemporaryFolder, temporary_folder

HOLD = """
import sys
from pathlib import Path
from edgepack.core.temporary_folders import TemporaryFolder
held = TemporaryFolder(Path(sys.argv[1]))
(held.path / "data").write_text("precious")
print(held.path, flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run another process that uses a folder until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_a_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    with TemporaryFolder(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_with_its_process(tmp_path: Path) -> None:
    with holding(tmp_path) as (_, left):
        assert left.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_the_next_folder_cleans_up_after_a_killed_process(tmp_path: Path) -> None:
    with holding(tmp_path) as (process, left):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (left / "data").is_file()
    with TemporaryFolder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_what_a_process_uses_is_not_touched(tmp_path: Path) -> None:
    with holding(tmp_path) as (process, theirs), TemporaryFolder(tmp_path) as ours:
        for _ in range(20):
            TemporaryFolder(tmp_path).remove()
        assert (theirs / "data").read_text() == "precious"
        assert set(tmp_path.iterdir()) == {theirs, ours}
        assert process.poll() is None


def test_a_child_process_does_not_keep_a_folder_locked(tmp_path: Path) -> None:
    parent = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from edgepack.core.temporary_folders import TemporaryFolder\n"
        f"held = TemporaryFolder(Path({str(tmp_path)!r}))\n"
        "child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, check=True
    )
    try:
        assert len(list(tmp_path.iterdir())) == 1
        temporary_folders.remove_abandoned_folders(tmp_path)
        assert list(tmp_path.iterdir()) == []
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


def test_only_abandoned_folders_are_swept(tmp_path: Path) -> None:
    with TemporaryFolder(tmp_path) as folder:
        name = folder.name
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("precious")
    kept = ["edgepack-examples", ".edgepack", name[:-1], f"{name}0", f"{name}-unlocked", f"x{name}"]
    for each in kept:
        (tmp_path / each).mkdir()
    (tmp_path / name).symlink_to(other)
    (tmp_path / f"{name[:-1]}g").mkdir()
    file = tmp_path / (name[:-1] + ("0" if name[-1] != "0" else "1"))
    file.write_text("precious")
    before = set(tmp_path.iterdir())
    temporary_folders.remove_abandoned_folders(tmp_path)
    assert set(tmp_path.iterdir()) == before
    assert (other / "file").read_text() == "precious"


@pytest.mark.parametrize(
    ("machine", "boot", "is_left_alone"),
    [
        ("another", "another", True),  # on a shared disk
        ("another", None, False),  # a container, whose locks are visible here
        (None, "another", False),  # before this machine was rebooted
    ],
)
def test_folders_whose_locks_are_not_visible_are_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    machine: str | None,
    boot: str | None,
    is_left_alone: bool,
) -> None:
    with TemporaryFolder(tmp_path) as folder:
        name = folder.name
    (tmp_path / name).mkdir()
    with monkeypatch.context() as patch:
        if machine:
            uname = os.uname()
            renamed = os.uname_result((uname.sysname, machine, *uname[2:]))
            patch.setattr(os, "uname", lambda: renamed)
        if boot:
            (tmp_path / "boot_id").write_text(boot)
            patch.setattr(temporary_folders, "_BOOT", tmp_path / "boot_id")
        temporary_folders.remove_abandoned_folders(tmp_path)
        assert (tmp_path / name).is_dir() == is_left_alone
    temporary_folders.remove_abandoned_folders(tmp_path)
    assert not (tmp_path / name).exists()


def test_folders_that_cannot_be_locked_are_not_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(9, "Bad file descriptor")  # as NFS answers

    with TemporaryFolder(tmp_path) as folder:
        name = folder.name
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        (tmp_path / name).mkdir()
        held = TemporaryFolder(tmp_path)
        assert (tmp_path / name).is_dir()
        assert held.path.is_dir()
    temporary_folders.remove_abandoned_folders(tmp_path)
    assert held.path.is_dir()
    held.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = temporary_folders._lock
    seen = []

    def sweep_first(path: Path) -> int:
        seen.append(path)
        if len(seen) == 1:
            path.rmdir()
        return lock(path)

    monkeypatch.setattr(temporary_folders, "_lock", sweep_first)
    with TemporaryFolder(tmp_path) as folder:
        assert folder.is_dir()
        assert folder == seen[-1] != seen[0]


@pytest.mark.parametrize("kind", ["missing", "a file", "full"])
def test_an_unusable_folder_for_temporary_files_is_reported_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "file").write_text("")
    folder = {"missing": tmp_path / "gone", "a file": tmp_path / "file", "full": tmp_path}[kind]
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    def use() -> None:
        with temporary_folder() as folder:
            assert kind == "full"
            (folder / "link").symlink_to("/dev/full")
            (folder / "link").write_text("x")

    with pytest.raises(OutputError, match=r"cannot be written: .* or set TMPDIR to another folder"):
        use()


def test_no_folder_for_temporary_files_at_all_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find_none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", find_none)
    with pytest.raises(OutputError, match=r"^no folder for temporary files: .*; set TMPDIR to a "):
        TemporaryFolder()
