"""What the system refuses, each in one sentence with its cure."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from edgepack.errors import ExhaustedError, OutputError

_FULL = (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a worker's error comes without a number
_FILES = "no more files can be opened here; raise the limit (ulimit -n)"
_MEMORY = "there is no more memory; free some, or raise the limit (ulimit -v)"
_STARTS = "no more processes or threads can be started; raise the limits (ulimit -u, ulimit -v)"
_SIGNS = {
    os.strerror(errno.EMFILE): _FILES,
    os.strerror(errno.ENFILE): _FILES,
    os.strerror(errno.ENOMEM): _MEMORY,
    "MemoryError": _MEMORY,
    "failed to map segment": _MEMORY,
    "can't start new thread": _STARTS,
    os.strerror(errno.EAGAIN): _STARTS,
}
"""What Python, the dynamic linker and packages say when something is used up."""


def exhausted(error: BaseException) -> ExhaustedError | None:
    """Say that the system has no more to give, if that is what an error is about.

    >>> print(exhausted(MemoryError()))
    there is no more memory; free some, or raise the limit (ulimit -v)
    """
    if not isinstance(error, (OSError, ImportError, MemoryError, RuntimeError)):
        return None
    told = f"{type(error).__name__}: {error}"
    return next((ExhaustedError(why) for sign, why in _SIGNS.items() if sign in told), None)


@contextmanager
def explained(folder: object, way_out: str = "choose another --output") -> Iterator[None]:
    """Turn the system's refusals to write into a folder into one sentence.

    Raises :class:`OutputError`, or :class:`ExhaustedError` where the folder is not to blame.
    """
    try:
        yield
    except OSError as error:
        if (found := exhausted(error)) is not None:
            raise found from error
        reason = error.strerror or f"the disk is full ({error})"
        cure = "free space" if error.errno in _FULL else "check the path and its rights"
        raise OutputError(f"{folder}: cannot be written: {reason}; {cure}, or {way_out}") from error
