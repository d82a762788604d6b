"""Errors of the operating system, each as one sentence with its remedy."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgepack.core.errors import EdgepackError, ExhaustedError, OutputError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WITHOUT_FILENAME = {*_DISK_FULL, errno.EROFS, errno.ENOENT, None}
"""Write errors that come without a file name; h5py and worker processes also omit the number."""

STAGED = ".edgepack-"
"""Prefix of the temporary files and folders beside an output, before they are moved there."""

_NO_FILES = "no more files can be opened; raise the limit (ulimit -n)"
_NO_MEMORY = "out of memory; free some, or raise the limit (ulimit -v)"
_NO_PROCESSES = (
    "no more processes or threads can be started; raise the limits (ulimit -u, ulimit -v)"
)
_BY_NUMBER = {
    errno.EMFILE: _NO_FILES,
    errno.ENFILE: _NO_FILES,
    errno.ENOMEM: _NO_MEMORY,
    errno.EAGAIN: _NO_PROCESSES,
}
_BY_PHRASE = {
    **{os.strerror(number): why for number, why in _BY_NUMBER.items()},
    "MemoryError": _NO_MEMORY,
    "failed to map segment": _NO_MEMORY,
    "can't start new thread": _NO_PROCESSES,
}
"""The messages of Python, the dynamic linker and packages when a resource is exhausted."""


def exhaustion_error(error: BaseException) -> ExhaustedError | None:
    """Return an :class:`ExhaustedError` if an error means that the system is out of a resource.

    >>> print(exhaustion_error(MemoryError()))
    out of memory; free some, or raise the limit (ulimit -v)
    """
    why = None
    if isinstance(error, OSError) and error.errno is not None:
        why = _BY_NUMBER.get(error.errno)
    elif isinstance(error, (OSError, ImportError, MemoryError, RuntimeError)):
        # If the message is the traceback of another process, its last line is the error.
        last = f"{type(error).__name__}: {error}".rstrip().splitlines()[-1]
        why = next((why for phrase, why in _BY_PHRASE.items() if phrase in last), None)
    return None if why is None else ExhaustedError(why)


def describe_system_error(
    error: OSError, folder: object = None, alternative: str | None = None
) -> EdgepackError:
    """Describe an error of the operating system, with its remedy and an alternative.

    ``folder`` is the folder that could not be written, if that is the cause.
    """
    if (exhaustion := exhaustion_error(error)) is not None:
        return exhaustion
    where = f"{folder}: cannot be written: " if folder else _filename_prefix(error)
    is_full = error.errno in _DISK_FULL or (folder is not None and error.errno is None)
    cure = "free space" if is_full else "check the path and its permissions"
    cures = f"{cure}, or {alternative}" if alternative else cure
    why = error.strerror or (f"the disk is full ({error})" if is_full else error)
    return OutputError(f"{where}{why}; {cures}")


@contextmanager
def explain_write_errors(
    folder: Path, alternative: str = "choose another --output"
) -> Iterator[None]:
    """Turn system errors from writing to a folder into a one-line error.

    Raises :class:`OutputError`, or :class:`ExhaustedError` if the folder is not the cause. Errors
    that have nothing to do with the folder pass through.
    """
    try:
        yield
    except OSError as error:
        if exhaustion_error(error) is None and not _concerns(folder, error):
            raise
        raise describe_system_error(error, folder, alternative) from error


def _concerns(folder: Path, error: OSError) -> bool:
    """Whether an error is about a folder, its contents, what is staged for it, or a parent."""
    if not isinstance(error.filename, str):
        return error.errno in _WITHOUT_FILENAME
    if not Path(error.filename).is_absolute():
        return False
    path, folder = Path(os.path.realpath(error.filename)), Path(os.path.realpath(folder))
    beside = path.relative_to(folder.parent) if path.is_relative_to(folder.parent) else Path()
    is_staged = bool(beside.parts) and beside.parts[0].startswith(STAGED)
    return is_staged or path.is_relative_to(folder) or folder.is_relative_to(path)


def _filename_prefix(error: OSError) -> str:
    return f"{error.filename}: " if error.filename else ""
