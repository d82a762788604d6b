"""What the system refuses is told in one line, with what to blame and the cure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgepack.core.errors import EdgepackError, ExhaustedError, OutputError
from edgepack.core.system_errors import STAGED, exhausted, explained


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "no more files"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "no more memory"),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "no more processes"),
        (MemoryError(), "no more memory"),
        (MemoryError("Unable to allocate 9 GiB"), "no more memory"),
        (RuntimeError("can't start new thread"), "no more processes"),
        (RuntimeError("in a worker process:\n...\nMemoryError"), "no more memory"),
        (OSError("x.so: failed to map segment from shared object"), "no more memory"),
        (ImportError("x.so: failed to map segment from shared object"), "no more memory"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "no more files"),
    ],
    ids=str,
)
def test_what_is_used_up_is_told_with_the_limit_to_raise(error: Exception, told: str) -> None:
    found = exhausted(error)
    assert found is not None
    assert told in str(found)
    assert "raise the limit" in str(found)
    assert found.exit_code == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("in a worker process:\nZeroDivisionError: a bug"),
        RuntimeError("in a worker process:\nMemoryError\nKeyError: a bug"),
        OSError(errno.EIO, "MemoryError"),
        ImportError("No module named 'gone'"),
        ValueError("MemoryError"),
    ],
    ids=str,
)
def test_nothing_else_is_taken_for_it(error: Exception) -> None:
    assert exhausted(error) is None


@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [
        (errno.ENOSPC, OutputError, "out: cannot be written: .*; free space, or choose another"),
        (errno.EACCES, OutputError, "out: cannot be written: .*; check the path and its rights"),
        (errno.EMFILE, ExhaustedError, "no more files can be opened here; raise the limit"),
    ],
)
def test_a_folder_is_blamed_only_for_what_is_its_fault(
    number: int, kind: type[EdgepackError], told: str
) -> None:
    with pytest.raises(kind, match=f"^{told}"), explained(Path("out")):
        raise OSError(number, os.strerror(number), str(Path("out").absolute()))


@pytest.mark.parametrize("name", ["x.npz", "made/x.npz"])
def test_a_file_elsewhere_is_not_the_folders_fault(tmp_path: Path, name: str) -> None:
    with pytest.raises(PermissionError), explained(tmp_path / "made" / "out"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / name))


def test_a_refused_connection_is_not_the_folders_fault(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError), explained(tmp_path / "out"):
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def test_what_is_staged_for_a_folder_is(tmp_path: Path) -> None:
    staged = tmp_path / f"{STAGED}scratch-1" / "int8.tflite"
    with pytest.raises(OutputError, match="out: cannot be written"), explained(tmp_path / "out"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(staged))


def test_what_a_worker_cannot_write_fills_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"), explained(tmp_path):
        raise OSError("unable to write")
