"""Files that a user names, read whole."""

from __future__ import annotations

import stat
from pathlib import Path

from edgepack.core.errors import UsageError

_MIB = 1 << 20
_MOST_BYTES = 64 * _MIB
"""Of a text: far more than anyone writes."""


def read_user_file(path: Path, error: type[UsageError], what: str = "file") -> bytes:
    """Read a file of any size; ``what`` it is called in messages.

    Raises ``error``, whose message names the path, for what is missing, no file or cannot be read.
    """
    require_ordinary(path, error)
    return _read(path, error, what, None)


def read_user_text(
    path: Path, error: type[UsageError], what: str, *, encoding: str = "utf-8"
) -> str:
    """Read a text of at most 64 MiB, in UTF-8, also from a pipe, such as a shell makes.

    Raises ``error`` as :func:`read_user_file` does.
    """
    data = _read(path, error, what, _MOST_BYTES)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as refused:
        raise error(f"{path}: is not UTF-8 text ({refused}); save it as UTF-8") from None


def is_special(path: Path) -> bool:
    """Whether a path leads to a pipe, a socket or a device: reading it may never end.

    Raises OSError if that cannot be told, but not for what is missing.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path is a link to what is not in a folder, which is given as its real path."""
    return path.is_symlink() and not path.resolve().is_relative_to(folder)


def require_ordinary(path: Path, error: type[UsageError]) -> None:
    """Raise ``error`` for a pipe, a socket or a device."""
    try:
        is_odd = is_special(path)
    except (OSError, ValueError):  # whoever reads it tells
        return
    if is_odd:
        raise error(f"{path}: is a pipe, a socket or a device; give a file")


def _read(path: Path, error: type[UsageError], what: str, most: int | None) -> bytes:
    try:
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
        raise error(f"{path}: is larger than {most // _MIB} MiB; give a {what}")
    return data
