"""The standard streams, wrapped so that a failure to write to them never stops the work."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any

from edgepack.core.errors import OutputError

_DESCRIPTORS = (0, 1, 2)


class _Stream(io.FileIO):
    """A standard output stream that discards what cannot be written; ``error`` has the reason."""

    def __init__(self, descriptor: int, error: OSError | None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.error = error

    def write(self, data: Any, /) -> int:
        """Write some of the data, or discard all of it."""
        try:
            while (written := super().write(data)) is None:  # it would block
                select.select([], [self], [])
        except OSError as error:
            self.error = error
            return memoryview(data).nbytes
        return written


def wrap_streams() -> None:
    """Replace standard output and standard error by such streams.

    Closed standard streams are first opened to /dev/null. Otherwise the next file to be opened
    would get their descriptor, and receive what is printed.
    """
    errors = {number: _open_if_closed(number) for number in _DESCRIPTORS}
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_Stream(number, errors[number])),
            encoding=getattr(stream, "encoding", None) or "utf-8",
            errors="backslashreplace",  # names may contain characters that the locale lacks
            line_buffering=True,
        )
        for number, stream in ((1, sys.stdout), (2, sys.stderr))
    )


def _open_if_closed(number: int) -> OSError | None:
    """Open a descriptor if it is closed; returns the error if it was."""
    try:
        os.fstat(number)
    except OSError as error:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
        return error
    return None


def require_printed() -> None:
    """Raise :class:`OutputError` if something that was printed could not be written.

    A closed pipe is not an error: its reader has seen enough.
    """
    stream = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = stream.error if isinstance(stream, _Stream) else None
    if error is not None and error.errno != errno.EPIPE:
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; the work itself is complete"
        )
