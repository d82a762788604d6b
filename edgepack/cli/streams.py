"""The standard streams: what cannot be written to them never stops the work."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any

from edgepack.core.errors import OutputError

_STREAMS = (0, 1, 2)


class _Stream(io.FileIO):
    """A standard stream to write to: what it refuses is lost, and ``error`` tells why."""

    def __init__(self, descriptor: int, error: OSError | None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.error = error

    def write(self, data: Any, /) -> int:
        """Write some of the data, or lose all of them."""
        try:
            while (written := super().write(data)) is None:  # it takes nothing for the moment
                select.select([], [self], [])
        except OSError as error:
            self.error = error
            return memoryview(data).nbytes
        return written


def open_streams() -> None:
    """Put streams of that kind in the place of standard output and standard error.

    One that is closed is opened first, to nowhere: or else the next file that is opened would
    stand in its place, and take what is printed.
    """
    closed = {number: _opened(number) for number in _STREAMS}
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_Stream(number, closed[number])),
            encoding=getattr(stream, "encoding", None) or "utf-8",
            errors="backslashreplace",  # names hold characters that not every locale has
            line_buffering=True,
        )
        for number, stream in ((1, sys.stdout), (2, sys.stderr))
    )


def _opened(number: int) -> OSError | None:
    """Open a descriptor if it is closed; returns what told so."""
    try:
        os.fstat(number)
    except OSError as error:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        return error
    return None


def require_delivered() -> None:
    """Raise :class:`OutputError` if something that was printed could not be written.

    A reader that has gone has seen enough.
    """
    stream = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = stream.error if isinstance(stream, _Stream) else None
    if error is not None and error.errno != errno.EPIPE:
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; the work itself is complete"
        )
