"""Files that a user names, read whole."""

from __future__ import annotations

import stat
from pathlib import Path

from edgepack.errors import UsageError

_MIB = 1 << 20
_MOST_BYTES = 64 * _MIB
"""Of a text: far more than anyone writes."""


def read_given(path: Path, error: type[UsageError], what: str = "file") -> bytes:
    """Read a file of any size; ``what`` it is called in messages.

    Raises ``error``, whose message names the path, for what is missing, no file or cannot be read.
    """
    return _read(path, error, what, None)


def read_given_text(
    path: Path, error: type[UsageError], what: str, *, encoding: str = "utf-8"
) -> str:
    """Read a text of at most 64 MiB, in UTF-8; raises ``error`` as :func:`read_given` does."""
    data = _read(path, error, what, _MOST_BYTES)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as refused:
        raise error(f"{path}: is no text in UTF-8 ({refused}); save it as such") from None


def is_special(path: Path) -> bool:
    """Whether a path leads to a pipe, a socket or a device: reading it may never end.

    Raises OSError if that cannot be told, but not for what is missing.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _read(path: Path, error: type[UsageError], what: str, most: int | None) -> bytes:
    try:
        if is_special(path):
            raise error(f"{path}: is a pipe, a socket or a device; give a file")
        with path.open("rb") as file:
            data = file.read() if most is None else file.read(most + 1)
    except FileNotFoundError:
        raise error(f"{path}: no such {what}; check the path") from None
    except IsADirectoryError:
        raise error(f"{path}: is a folder; give a {what}") from None
    except (OSError, ValueError) as refused:  # ValueError: no path at all, such as one with a NUL
        why = getattr(refused, "strerror", None) or refused
        raise error(f"{path}: cannot be read: {why}; check the path") from refused
    if most is not None and len(data) > most:
        raise error(f"{path}: has more than {most // _MIB} MiB; give a {what}")
    return data
