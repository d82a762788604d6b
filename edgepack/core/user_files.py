"""Files that the user names: errors of reading them, and reading them as a whole."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgepack.core.errors import UsageError

_MIB = 1 << 20
_MAX_TEXT_BYTES = 64 * _MIB
"""The size limit of text files: far more than anyone writes."""

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""The start of text in other encodings that contains NUL bytes."""


def read_user_file(path: Path, error: type[UsageError], what: str = "file") -> bytes:
    """Read a file of any size; messages call it a ``what``.

    Raises ``error``, whose message names the path, if it is missing, not a file, or unreadable.
    """
    require_not_special(path, error)
    return _read(path, error, what, None)


def read_user_text(
    path: Path,
    error: type[UsageError],
    what: str,
    *,
    encoding: str = "utf-8",
    cure: str | None = None,
) -> str:
    """Read a UTF-8 text of at most 64 MiB; it may also be a pipe, such as a shell's ``<(...)``.

    ``cure`` is what to give instead of a file that is no text; None means a ``what``. Raises
    ``error`` as :func:`read_user_file` does.
    """
    data = _read(path, error, what, _MAX_TEXT_BYTES)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as cause:
        if b"\0" in data and not data.startswith(_MARKS):
            raise error(f"{path}: is not a text file; {cure or f'give a {what}'}") from None
        raise error(f"{path}: is not UTF-8 text ({cause}); save it as UTF-8") from None


@contextmanager
def require_readable(name: object, error: type[UsageError], what: str) -> Iterator[None]:
    """Raise ``error`` if a ``what`` turns out to be missing or unreadable within the context."""
    try:
        yield
    except FileNotFoundError:
        raise error(f"{name}: no such {what}; check the path") from None
    except IsADirectoryError:
        raise error(f"{name}: is a folder; give a {what}") from None
    except OSError as cause:
        raise error(f"{name}: cannot be read: {cause.strerror or cause}; check the path") from cause


def is_special(path: Path) -> bool:
    """Whether a path refers to a pipe, a socket or a device: reading it may never end.

    Raises OSError if that cannot be determined; a missing file is not special.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether a path is a symlink to something outside ``folder``, which must be a real path."""
    return path.is_symlink() and not path.resolve().is_relative_to(folder)


def require_not_special(path: Path, error: type[UsageError]) -> None:
    """Raise ``error`` for a pipe, a socket or a device."""
    try:
        special = is_special(path)
    except OSError:  # reported when the file is read
        return
    if special:
        raise error(f"{path}: is a pipe, a socket or a device; give a file")


def _read(path: Path, error: type[UsageError], what: str, max_bytes: int | None) -> bytes:
    with require_readable(path, error, what), path.open("rb") as file:
        data = file.read() if max_bytes is None else file.read(max_bytes + 1)
    if max_bytes is not None and len(data) > max_bytes:
        raise error(f"{path}: is larger than {max_bytes // _MIB} MiB; give a {what}")
    return data
