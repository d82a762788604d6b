"""What the system refuses, each in one sentence with its cure."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgepack.core.errors import EdgepackError, ExhaustedError, OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OF_NO_FILE = {*_FULL, errno.EROFS, errno.ENOENT, None}
"""What writing says without a name; None is what h5py and a worker process leave out."""

STAGED = ".edgepack-"
"""Begins the names of what lies beside an output until it is put there."""

_FILES = "no more files can be opened here; raise the limit (ulimit -n)"
_MEMORY = "there is no more memory; free some, or raise the limit (ulimit -v)"
_STARTS = "no more processes or threads can be started; raise the limits (ulimit -u, ulimit -v)"
_BY_NUMBER = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _STARTS,
}
_BY_WORDS = {
    **{os.strerror(number): why for number, why in _BY_NUMBER.items()},
    "MemoryError": _MEMORY,
    "failed to map segment": _MEMORY,
    "can't start new thread": _STARTS,
}
"""What Python, the dynamic linker and packages say when something is used up."""


def exhausted(error: BaseException) -> ExhaustedError | None:
    """Say that the system has no more to give, if that is what an error is about.

    >>> print(exhausted(MemoryError()))
    there is no more memory; free some, or raise the limit (ulimit -v)
    """
    why = None
    if isinstance(error, OSError) and error.errno is not None:
        why = _BY_NUMBER.get(error.errno)
    elif isinstance(error, (OSError, ImportError, MemoryError, RuntimeError)):
        # Of the traceback of another process, the last line says what it was.
        last = f"{type(error).__name__}: {error}".rstrip().splitlines()[-1]
        why = next((why for words, why in _BY_WORDS.items() if words in last), None)
    return None if why is None else ExhaustedError(why)


def system_refusal(
    error: OSError, folder: object = None, way_out: str | None = None
) -> EdgepackError:
    """Say what the system refused, of ``folder`` if it is to be blamed, and another way out."""
    if (found := exhausted(error)) is not None:
        return found
    where = f"{folder}: cannot be written: " if folder else _named(error)
    is_full = error.errno in _FULL or (folder is not None and error.errno is None)
    cure = "free space" if is_full else "check the path and its rights"
    ways = f"{cure}, or {way_out}" if way_out else cure
    why = error.strerror or (f"the disk is full ({error})" if is_full else error)
    return OutputError(f"{where}{why}; {ways}")


@contextmanager
def explained(folder: Path, way_out: str = "choose another --output") -> Iterator[None]:
    """Turn the system's refusals to write into a folder into one sentence.

    Raises :class:`OutputError`, or :class:`ExhaustedError` where the folder is not to blame.
    """
    try:
        yield
    except OSError as error:
        if exhausted(error) is None and not _is_to_blame(folder, error):
            raise
        raise system_refusal(error, folder, way_out) from error


def _is_to_blame(folder: Path, error: OSError) -> bool:
    """Whether an error is about a folder, what is in it or staged for it, or a folder above it."""
    if not isinstance(error.filename, str):
        return error.errno in _OF_NO_FILE
    if not Path(error.filename).is_absolute():
        return False
    path, folder = Path(os.path.realpath(error.filename)), Path(os.path.realpath(folder))
    beside = path.relative_to(folder.parent) if path.is_relative_to(folder.parent) else Path()
    is_staged = bool(beside.parts) and beside.parts[0].startswith(STAGED)
    return is_staged or path.is_relative_to(folder) or folder.is_relative_to(path)


def _named(error: OSError) -> str:
    return f"{error.filename}: " if error.filename else ""
