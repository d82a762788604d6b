"""Renames that Python does not offer: swap two paths, and rename without replacing anything."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_AT_FDCWD = -100  # relative paths are relative to the working folder
_LINUX = {"new": 1, "exchange": 2}  # RENAME_NOREPLACE, RENAME_EXCHANGE
_DARWIN = {"new": 4, "exchange": 2}  # RENAME_EXCL, RENAME_SWAP


def exchange_paths(first: Path, second: Path) -> bool:
    """Swap two paths atomically, so that both exist at any moment.

    Returns False, with nothing changed, if the system or the file system does not support it.
    """
    return _rename(first, second, "exchange") is None


def rename_new(source: Path, target: Path) -> None:
    """Rename a path without replacing anything.

    Raises FileExistsError if the target exists. If the system cannot guarantee that, an empty
    folder that appears at the same moment is replaced.
    """
    error = _rename(source, target, "new")
    if error is None:
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
    source.rename(target)


def _rename(source: Path, target: Path, how: str) -> OSError | None:
    """Rename by the system's own function; returns the error, or None."""
    if (call := _function()) is None:
        return OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(os.fsencode(source), os.fsencode(target), how) == 0:
        return None
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


@cache
def _function() -> Callable[[bytes, bytes, str], int] | None:
    """Return the function of the C library; None if it has none."""
    if sys.platform == "win32":  # the C library has neither
        return None
    library: Any = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda source, target, how: library.renamex_np(
            source, target, ctypes.c_uint(_DARWIN[how])
        )
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        return lambda source, target, how: library.renameat2(
            _AT_FDCWD, source, _AT_FDCWD, target, ctypes.c_uint(_LINUX[how])
        )
    return None
