"""Folders for what does not last: they go with the process that made them, even if it is killed.

A process that is killed takes nothing away. Its folders are known by their names, and by their
locks, which the system takes off with the process: whoever makes the next folder beside them
removes them. One that is in use is locked, and never taken for one that was left. Where folders
cannot be locked, none is removed but by its own process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from edgepack.core.errors import OutputError
from edgepack.core.signals import uninterrupted
from edgepack.core.system_errors import STAGED, explained

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAME = f"{STAGED[1:]}scratch-"  # with the dot before it beside an output
_PRIVATE = 0o700
_UNLOCKED = "-unlocked"
_CURE = "set TMPDIR to another folder"


class TemporaryFolder:
    """A folder at ``path``, until the context or the process ends, or :meth:`remove` is called.

    It lies in ``parent``, hidden; or else where the system keeps temporary files. ``mode`` is cut
    by the umask. Whatever lies at its path in the end is removed: what is to stay is moved away.

    Raises OSError if it cannot be made in ``parent``, :class:`~edgepack.core.errors.OutputError` if
    it cannot be made where temporary files are.
    """

    def __init__(self, parent: Path | None = None, *, mode: int = _PRIVATE) -> None:
        if parent is not None:
            self.path, lock = _made(parent, ".", mode)
        else:
            parent = _temporary()
            with explained(parent, _CURE):
                self.path, lock = _made(parent, "", mode)
        self._end = weakref.finalize(self, _remove, self.path, lock)

    def remove(self) -> None:
        """Remove the folder; what cannot be removed stays."""
        self._end()

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
def temporary() -> Iterator[Path]:
    """Give a folder where the system keeps temporary files.

    Raises :class:`~edgepack.core.errors.OutputError` if it cannot be made, or written.
    """
    with TemporaryFolder() as folder, explained(folder, _CURE):
        yield folder


def sweep(parent: Path) -> None:
    """Remove the folders that processes of this user, on this machine, were killed over."""
    with suppress(OSError):
        with os.scandir(parent) as entries:
            left = [parent / entry.name for entry in entries if _is_of_here(entry.name)]
        for path in left:
            with suppress(OSError):  # it is in use, or went meanwhile
                lock = _locked(path)
                if os.fstat(lock).st_uid == os.geteuid():
                    _remove(path, lock)
                else:
                    os.close(lock)


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        os.close(os.open(os.devnull, os.O_RDONLY))  # raises if no file can be opened at all
        raise OutputError(
            f"no folder for temporary files: {error.strerror}; set TMPDIR to one that can be"
            " written"
        ) from error


def _made(parent: Path, hidden: str, mode: int) -> tuple[Path, int | None]:
    """Make a folder and lock it; returns its path and the lock, if there can be one."""
    sweep(parent)
    with uninterrupted():
        while True:
            path = parent / f"{hidden}{_prefix()}{secrets.token_hex(8)}"
            path.mkdir(mode)
            try:
                return path, _locked(path)
            except (FileNotFoundError, BlockingIOError):
                continue  # a sweep came between the two
            except _NoLockError:
                return path.rename(f"{path}{_UNLOCKED}"), None
            except OSError:
                path.rmdir()
                raise


class _NoLockError(OSError):
    """A folder cannot be locked on its disk."""


def _locked(path: Path) -> int:
    """Lock a folder for as long as the descriptor that is returned is open; nothing inherits it.

    Raises BlockingIOError if it is locked, FileNotFoundError if it is gone, and
    :class:`_NoLockError`.
    """
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


def _remove(path: Path, lock: int | None) -> None:
    with uninterrupted():
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _prefix() -> str:
    """Begin the names: by machine and by boot, since disks may be shared where locks are not."""
    return f"{_NAME}{_machine()}-{_boot()}-"


def _is_of_here(name: str) -> bool:
    """Whether a folder is of this machine, now or before, or of another container of this boot."""
    here = f"(?:{_machine()}-[0-9a-f]{{8}}|[0-9a-f]{{8}}-{_boot()})"
    return bool(re.fullmatch(rf"\.?{_NAME}{here}-[0-9a-f]{{16}}", name))


def _machine() -> str:
    return _short(os.uname().nodename)


def _boot() -> str:
    """Tell boots apart: containers have names of their own, and share the kernel with its locks."""
    try:
        return _short(_BOOT.read_text(encoding="ascii"))
    except OSError:
        return _machine()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
