"""A cache of results on disk, keyed by the content of everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from edgepack.core.codec import as_json, restore
from edgepack.core.packages import installed_versions
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.core.user_folders import user_folder
from edgepack.storage.artifact import describe_stream

T = TypeVar("T")

_RESULT = "result.json"
_MAX_BYTES = 2 << 30
_DISTRIBUTIONS = (
    "keras",
    "numpy",
    "scikit-image",
    "scipy",
    "tensorflow",
    "tf-keras",
)
_IN_USE_S = 60 * 60
"""Entries that were used within the last hour are kept: another process may be reading them."""

_is_entry = re.compile("[0-9a-f]{64}").fullmatch


@dataclass(frozen=True)
class CacheEntry:
    """A cached result: its JSON value, and the folder with its files."""

    value: Any
    folder: Path


class _CorruptEntryError(Exception):
    """An entry differs from what was stored."""


class Cache:
    """Entries by key, each in a folder of its own.

    A key is any JSON value. It must name everything that decides the result, except for the
    versions of edgepack's own code and of the packages that it computes with, which always count.
    Without a ``folder``, nothing is ever found, and stored files remain in ``scratch``. Entries
    are pure data: JSON and arrays, each with its SHA-256. An entry that differs from what was
    stored is removed, and reported in ``notes``; symlinks are not followed. If the cache cannot be
    read or written, it counts as empty. It keeps at most 2 GiB.
    """

    def __init__(self, folder: Path | None, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch
        self._removed = 0

    def without_storage(self) -> Cache:
        """Return a cache that stores nothing, for results that the user's own code decides."""
        return Cache(None, self._scratch)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the report about entries that were corrupt."""
        if not self._removed:
            return ()
        what = "a result" if self._removed == 1 else f"{self._removed} results"
        return (f"{what} in the cache had been modified: removed and computed again",)

    def find(self, key: Any) -> CacheEntry | None:
        """Return the entry of a key; None if there is none."""
        if self._folder is None:
            return None
        folder = self._folder / _folder_name(key)
        try:
            value = _read_value(folder)
        except FileNotFoundError:
            return None
        except OSError:  # it cannot be read, so it cannot be verified
            return None
        except _CorruptEntryError:
            self._remove_corrupt(folder)
            return None
        return CacheEntry(value, folder)

    def get_or_compute(self, key: Any, kind: type[T], make: Callable[[], T]) -> T:
        """Return the dataclass that is stored under a key, or make and store it."""
        entry = self.find(key)
        if entry is not None:
            try:
                return restore(kind, entry.value)
            except ValueError:  # it does not fit
                self._remove_corrupt(entry.folder)
        made = make()
        self.keep(key, as_json(made))
        return made

    def keep(self, key: Any, value: Any, files: Mapping[str, Path] | None = None) -> CacheEntry:
        """Store a JSON value, and move files to the entry, under the names that are their keys.

        If the cache cannot be written, the files stay in the scratch folder.
        """
        made = Path(tempfile.mkdtemp(dir=self._scratch))
        for name, path in (files or {}).items():
            shutil.move(path, made / name)
        entry = CacheEntry(value, made)
        if self._folder is None:
            return entry
        folder = self._folder / _folder_name(key)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = json.dumps(_content(_digests(made), value))
            (made / _RESULT).write_text(text, encoding="utf-8", newline="\n")
            _move_into_cache(made, folder)
        except OSError:
            return entry
        with suppress(OSError):  # other processes may be shrinking it too
            self._shrink()
        return CacheEntry(value, folder)

    def _remove_corrupt(self, folder: Path) -> None:
        """Remove and count an entry that differs from what was stored."""
        self._removed += 1
        with suppress(OSError):
            _clear(folder)

    def _shrink(self) -> None:
        """Remove the least recently used entries if the cache is too large."""
        assert self._folder is not None  # noqa: S101 (the caller checks)
        with os.scandir(self._folder) as contents:
            entries = [
                (entry.stat(follow_symlinks=False).st_mtime, Path(entry.path))
                for entry in contents
                if _is_entry(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        total = 0
        for used, folder in sorted(entries, reverse=True):
            total += sum(path.lstat().st_size for path in folder.iterdir())
            if total > _MAX_BYTES and used < time.time() - _IN_USE_S:
                _clear(folder)


def default_cache_folder() -> Path | None:
    """Return the user's cache folder; None if there is none."""
    return user_folder("XDG_CACHE_HOME", ".cache")


def _read_value(folder: Path) -> Any:
    """Verify an entry and return its value; marks the entry as used.

    Raises FileNotFoundError if there is none, :class:`_CorruptEntryError` if it is corrupt.
    """
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise _CorruptEntryError
    with suppress(OSError):
        os.utime(folder)  # first of all, or another process may consider it unused
    try:
        with _open(folder / _RESULT) as file:
            content = json.loads(file.read())
        if content != _content(_digests(folder), content["value"]):
            raise _CorruptEntryError
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError) as error:
        folder.lstat()  # raises if another process removed it meanwhile
        raise _CorruptEntryError from error
    return content["value"]


def _content(files: Mapping[str, str], value: Any) -> dict[str, Any]:
    """Return what result.json of an entry holds, with the SHA-256 over all of it."""
    text = json.dumps([files, value], sort_keys=True)
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "files": files,
        "value": value,
    }


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.name != _RESULT:
            with _open(path) as file:
                digests[path.name] = describe_stream(file).sha256
    return digests


def _open(path: Path) -> BinaryIO:
    """Open a regular file for reading; symlinks and files that could block are corrupt."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise _CorruptEntryError
    flags = os.O_RDONLY
    if sys.platform != "win32":  # it has no pipes in folders, and links for administrators only
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK  # the path may have changed meanwhile
    return os.fdopen(os.open(path, flags), "rb")


def _move_into_cache(made: Path, folder: Path) -> None:
    """Move a finished entry to its place in the cache, atomically.

    An identical entry that another process has stored meanwhile stays: it may be reading it.
    """
    if not _are_same(made, folder):
        with TemporaryFolder(folder.parent) as beside:
            shutil.copytree(made, beside, dirs_exist_ok=True)
            with suppress(FileNotFoundError):
                _clear(folder)
            beside.rename(folder)
    shutil.rmtree(made)


def _clear(folder: Path) -> None:
    """Remove an entry, or whatever is in its place, atomically."""
    with TemporaryFolder(folder.parent) as trash:
        folder.rename(trash / folder.name)


def _are_same(made: Path, folder: Path) -> bool:
    """Whether a folder is an intact entry, identical to the one just made."""
    try:
        _read_value(folder)
        return (made / _RESULT).read_bytes() == (folder / _RESULT).read_bytes()
    except (OSError, _CorruptEntryError):
        return False


def _folder_name(key: Any) -> str:
    text = json.dumps([_code(), _packages(), key], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _code() -> str:
    """Return the SHA-256 of edgepack's code: another version may compute other results."""
    digest = hashlib.sha256()
    walked = os.walk(Path(__file__).parents[1], followlinks=True)  # a checkout links its folders
    for path in sorted(Path(folder, name) for folder, _, names in walked for name in names):
        if path.suffix in (".py", ".json", ".toml"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _packages() -> list[tuple[str, str]]:
    """Return names and versions of the packages that compute results, without importing them."""
    return sorted(installed_versions(_DISTRIBUTIONS).items())
