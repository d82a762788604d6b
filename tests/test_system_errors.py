"""Errors of the operating system are reported in one line, with the cause and the remedy."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgepack.core.errors import EdgepackError, ExhaustedError, OutputError
from edgepack.core.system_errors import STAGED, exhaustion_error, explain_write_errors


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "no more files"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "out of memory"),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "no more processes"),
        (MemoryError(), "out of memory"),
        (MemoryError("Unable to allocate 9 GiB"), "out of memory"),
        (RuntimeError("can't start new thread"), "no more processes"),
        (RuntimeError("in a worker process:\n...\nMemoryError"), "out of memory"),
        (OSError("x.so: failed to map segment from shared object"), "out of memory"),
        (ImportError("x.so: failed to map segment from shared object"), "out of memory"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "no more files"),
    ],
    ids=str,
)
def test_an_exhausted_resource_is_named_with_the_limit_to_raise(
    error: Exception, expected: str
) -> None:
    exhaustion = exhaustion_error(error)
    assert exhaustion is not None
    assert expected in str(exhaustion)
    assert "raise the limit" in str(exhaustion)
    assert exhaustion.exit_code == 1


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
def test_no_other_error_counts_as_exhaustion(error: Exception) -> None:
    assert exhaustion_error(error) is None


@pytest.mark.parametrize(
    ("number", "kind", "expected"),
    [
        (errno.ENOSPC, OutputError, "out: cannot be written: .*; free space, or choose another"),
        (
            errno.EACCES,
            OutputError,
            "out: cannot be written: .*; check the path and its permissions",
        ),
        (errno.EMFILE, ExhaustedError, "no more files can be opened; raise the limit"),
    ],
)
def test_a_folder_is_blamed_only_for_what_is_its_fault(
    number: int, kind: type[EdgepackError], expected: str
) -> None:
    with pytest.raises(kind, match=f"^{expected}"), explain_write_errors(Path("out")):
        raise OSError(number, os.strerror(number), str(Path("out").absolute()))


@pytest.mark.parametrize("name", ["x.npz", "made/x.npz"])
def test_a_folder_is_not_blamed_for_a_file_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(PermissionError), explain_write_errors(tmp_path / "made" / "out"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / name))


def test_a_folder_is_not_blamed_for_a_refused_connection(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError), explain_write_errors(tmp_path / "out"):
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def test_a_folder_is_blamed_for_what_is_staged_for_it(tmp_path: Path) -> None:
    staged = tmp_path / f"{STAGED}scratch-1" / "int8.tflite"
    with (
        pytest.raises(OutputError, match="out: cannot be written"),
        explain_write_errors(tmp_path / "out"),
    ):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(staged))


def test_a_write_error_without_a_number_means_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"), explain_write_errors(tmp_path):
        raise OSError("unable to write")
