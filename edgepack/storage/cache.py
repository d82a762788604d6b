"""Results kept on disk, by the content of all that they were made of."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from edgepack.core.codec import as_json, restore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.core.user_folders import user_folder
from edgepack.storage.artifact import describe_stream

T = TypeVar("T")

_RESULT = "result.json"
_MOST_BYTES = 2 << 30
_DISTRIBUTIONS = (
    "keras",
    "numpy",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tf-keras",
)
_IN_USE_S = 60 * 60
"""What was used within an hour is not thrown away: another process may be reading it."""

_is_entry = re.compile("[0-9a-f]{64}").fullmatch


@dataclass(frozen=True)
class CacheEntry:
    """A result: its value, as JSON has it, and the folder with its files."""

    value: Any
    folder: Path


class _BadEntryError(Exception):
    """What is kept is not what was put there."""


class Cache:
    """Entries by keys, in a folder of its own for each.

    A key is any JSON value; it must name all that decides the result but edgepack's own code, and
    the packages that compute with it, which count always. Without a folder to keep them in,
    nothing is found, and what is kept stays in ``scratch`` for as long as that. Entries are data
    only: JSON and arrays, each with its SHA-256. What is not as it was put there is thrown away,
    which ``notes`` tells; links are not followed. What cannot be written is as good as not there.
    At most 2 GiB are kept.
    """

    def __init__(self, folder: Path | None, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch
        self._thrown_away = 0

    def forgetful(self) -> Cache:
        """Give a cache that keeps nothing: for what the user's own code decides."""
        return Cache(None, self._scratch)

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about the entries that were looked for."""
        if not self._thrown_away:
            return ()
        what = "a result" if self._thrown_away == 1 else f"{self._thrown_away} results"
        return (f"{what} in the cache had been changed: thrown away, and computed again",)

    def find(self, key: Any) -> CacheEntry | None:
        """Find what was kept under a key."""
        if self._folder is None:
            return None
        folder = self._folder / _name(key)
        try:
            value = _value(folder)
        except FileNotFoundError:
            return None
        except OSError:  # it cannot be read, and so not be looked at
            return None
        except _BadEntryError:
            self._throw_away(folder)
            return None
        return CacheEntry(value, folder)

    def remember(self, key: Any, kind: type[T], make: Callable[[], T]) -> T:
        """Find a dataclass that was kept under a key, or make and keep it."""
        entry = self.find(key)
        if entry is not None:
            try:
                return restore(kind, entry.value)
            except ValueError:  # it does not fit
                self._throw_away(entry.folder)
        made = make()
        self.keep(key, as_json(made))
        return made

    def keep(self, key: Any, value: Any, files: Mapping[str, Path] | None = None) -> CacheEntry:
        """Keep a value, and files under names of their own, which are moved.

        Where the cache cannot be written the files stay in the scratch folder.
        """
        made = Path(tempfile.mkdtemp(dir=self._scratch))
        for name, path in (files or {}).items():
            shutil.move(path, made / name)
        entry = CacheEntry(value, made)
        if self._folder is None:
            return entry
        folder = self._folder / _name(key)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            told = json.dumps(_sealed(_digests(made), value))
            (made / _RESULT).write_text(told, encoding="utf-8")
            _replace(made, folder)
        except OSError:
            return entry
        with suppress(OSError):  # others may be at it too
            self._shrink()
        return CacheEntry(value, folder)

    def _throw_away(self, folder: Path) -> None:
        """Remove what is not as it was put there."""
        self._thrown_away += 1
        with suppress(OSError):
            _clear(folder)

    def _shrink(self) -> None:
        """Throw away what was not used for longest, if there is too much."""
        assert self._folder is not None  # noqa: S101 (the caller looked)
        with os.scandir(self._folder) as found:
            entries = [
                (entry.stat(follow_symlinks=False).st_mtime, Path(entry.path))
                for entry in found
                if _is_entry(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        total = 0
        for used, folder in sorted(entries, reverse=True):
            total += sum(path.lstat().st_size for path in folder.iterdir())
            if total > _MOST_BYTES and used < time.time() - _IN_USE_S:
                _clear(folder)


def default_folder() -> Path | None:
    """Tell where results are kept; None nowhere."""
    return user_folder("XDG_CACHE_HOME", ".cache")


def _value(folder: Path) -> Any:
    """Read the value of an entry, if all of it is as it was put there, and note that it was used.

    Raises FileNotFoundError if there is none, :class:`_BadEntryError` if there is something else.
    """
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise _BadEntryError
    with suppress(OSError):
        os.utime(folder)  # first, or another process may take it for one that nobody uses
    try:
        with _opened(folder / _RESULT) as file:
            told = json.loads(file.read())
        if told != _sealed(_digests(folder), told["value"]):
            raise _BadEntryError
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError) as error:
        folder.lstat()  # raises if another process threw it away meanwhile
        raise _BadEntryError from error
    return told["value"]


def _sealed(files: Mapping[str, str], value: Any) -> dict[str, Any]:
    """Put together what is written of an entry."""
    told = json.dumps([files, value], sort_keys=True)
    return {
        "sha256": hashlib.sha256(told.encode()).hexdigest(),
        "files": files,
        "value": value,
    }


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name != _RESULT:
            with _opened(path) as file:
                found[path.name] = describe_stream(file).sha256
    return found


def _opened(path: Path) -> BinaryIO:
    """Open a file to read: no link, and nothing that would keep its reader waiting."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise _BadEntryError
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # it may have changed meanwhile
    return os.fdopen(os.open(path, flags), "rb")


def _replace(made: Path, folder: Path) -> None:
    """Put a finished folder where others look for it, whole or not at all.

    Another process may have come first: what it put there, it may be reading.
    """
    if not _are_same(made, folder):
        with TemporaryFolder(folder.parent) as beside:
            shutil.copytree(made, beside, dirs_exist_ok=True)
            with suppress(FileNotFoundError):
                _clear(folder)
            beside.rename(folder)
    shutil.rmtree(made)


def _clear(folder: Path) -> None:
    """Remove an entry, or whatever is in its place; nobody ever finds half of it."""
    with TemporaryFolder(folder.parent) as rubbish:
        folder.rename(rubbish / folder.name)


def _are_same(made: Path, folder: Path) -> bool:
    """Whether a folder is a whole entry, and the same as another."""
    try:
        _value(folder)
        return (made / _RESULT).read_bytes() == (folder / _RESULT).read_bytes()
    except (OSError, _BadEntryError):
        return False


def _name(key: Any) -> str:
    told = json.dumps([_code(), _packages(), key], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


@cache
def _code() -> str:
    """Digest the code of edgepack: another version may compute otherwise."""
    digest = hashlib.sha256()
    walked = os.walk(Path(__file__).parents[1], followlinks=True)  # a checkout links its folders
    for path in sorted(Path(folder, name) for folder, _, names in walked for name in names):
        if path.suffix in (".py", ".json", ".toml"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _packages() -> list[tuple[str, str]]:
    """Tell the versions of what computes besides, without importing it."""
    found = ((name, distributions(name=name)) for name in _DISTRIBUTIONS)
    return [(name, each.version) for name, all_of_it in found for each in all_of_it]
