"""Temporary folders that are cleaned up even if the process that made them is killed.

A killed process cannot remove its folders. They are recognized by their names, and by their locks,
which the system releases when the process ends: whoever next makes a folder in the same place
removes them. A folder in use is locked, and never mistaken for an abandoned one. Where folders
cannot be locked, as on Windows, each is removed by its own process only.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from edgepack.core.errors import OutputError
from edgepack.core.signals import ignore_interrupts
from edgepack.core.system_errors import STAGED, explain_write_errors

with suppress(ImportError):  # Windows has none
    import fcntl

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAME = f"{STAGED[1:]}scratch-"  # with a leading dot beside an output
_PRIVATE = 0o700
_UNLOCKED = "-unlocked"
_CURE = "set TMPDIR to another folder"


class TemporaryFolder:
    """A folder at ``path`` that is removed when the context or process ends, or by :meth:`remove`.

    It is hidden in ``parent``; without one, it is in the system's folder for temporary files. The
    umask applies to ``mode``. Whatever is at its path at the end is removed: move away what is to
    be kept.

    Raises OSError if it cannot be made in ``parent``, and
    :class:`~edgepack.core.errors.OutputError` if it cannot be made in the system's folder.
    """

    def __init__(self, parent: Path | None = None, *, mode: int = _PRIVATE) -> None:
        if parent is not None:
            self.path, lock = _make(parent, ".", mode)
        else:
            parent = _system_folder()
            with explain_write_errors(parent, _CURE):
                self.path, lock = _make(parent, "", mode)
        self._finalizer = weakref.finalize(self, _remove, self.path, lock)

    def remove(self) -> None:
        """Remove the folder; what cannot be removed is left behind."""
        self._finalizer()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a temporary folder in the system's folder for temporary files.

    Raises :class:`~edgepack.core.errors.OutputError` if it cannot be made or written to.
    """
    with TemporaryFolder() as folder, explain_write_errors(folder, _CURE):
        yield folder


def remove_abandoned_folders(parent: Path) -> None:
    """Remove folders in ``parent`` that killed processes of this user and machine left behind."""
    with suppress(OSError):
        with os.scandir(parent) as entries:
            candidates = [
                parent / entry.name for entry in entries if _is_of_this_machine(entry.name)
            ]
        for path in candidates:
            with suppress(OSError):  # it is in use, or was removed meanwhile
                lock = _lock(path)
                if _is_own(lock):
                    _remove(path, lock)
                else:
                    os.close(lock)


def _system_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        os.close(os.open(os.devnull, os.O_RDONLY))  # raises if no file can be opened at all
        raise OutputError(
            f"no folder for temporary files: {error.strerror}; set TMPDIR to a writable folder"
        ) from error


def _make(parent: Path, hidden: str, mode: int) -> tuple[Path, int | None]:
    """Make a folder and lock it; returns its path, and the lock or None if it cannot be locked."""
    remove_abandoned_folders(parent)
    with ignore_interrupts():
        while True:
            path = parent / f"{hidden}{_prefix()}{secrets.token_hex(8)}"
            path.mkdir(mode)
            try:
                return path, _lock(path)
            except (FileNotFoundError, BlockingIOError):
                continue  # another process swept between the two calls
            except _NoLockError:
                return path.rename(f"{path}{_UNLOCKED}"), None
            except OSError:
                path.rmdir()
                raise


class _NoLockError(OSError):
    """The file system of a folder does not support locks."""


def _lock(path: Path) -> int:
    """Lock a folder for as long as the returned file descriptor, which is not inherited, is open.

    Raises BlockingIOError if the folder is locked already, FileNotFoundError if it is gone, and
    :class:`_NoLockError` if it cannot be locked.
    """
    if sys.platform == "win32":
        raise _NoLockError
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    with ExitStack() as undo:
        undo.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError as error:
            raise _NoLockError from error
        if not os.path.samestat(os.fstat(lock), path.lstat()):
            raise FileNotFoundError(path)
        undo.pop_all()
    return lock


def _is_own(lock: int) -> bool:
    """Whether a locked folder is of this user."""
    return sys.platform != "win32" and os.fstat(lock).st_uid == os.geteuid()


def _remove(path: Path, lock: int | None) -> None:
    with ignore_interrupts():
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _prefix() -> str:
    """Return the prefix of names, with machine and boot: a shared disk may not share its locks."""
    return f"{_NAME}{_machine()}-{_boot()}-"


def _is_of_this_machine(name: str) -> bool:
    """Whether a folder is from this machine (any boot), or from another container of this boot."""
    here = f"(?:{_machine()}-[0-9a-f]{{8}}|[0-9a-f]{{8}}-{_boot()})"
    return bool(re.fullmatch(rf"\.?{_NAME}{here}-[0-9a-f]{{16}}", name))


def _machine() -> str:
    if sys.platform == "win32":
        return _short_hash(platform.node())
    return _short_hash(os.uname().nodename)


def _boot() -> str:
    """Identify the boot: containers have host names of their own, but share the kernel's locks."""
    try:
        return _short_hash(_BOOT.read_text(encoding="ascii"))
    except OSError:
        return _machine()


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
