"""Results kept on disk, by the content of all that they were made of."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, TypeVar

from edgepack.restore import restore

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


@dataclass(frozen=True)
class Entry:
    """A result: its value, as JSON has it, and the folder with its files."""

    value: Any
    folder: Path


class Cache:
    """Entries by keys, in a folder of its own for each.

    A key is any JSON value; it must name all that decides the result but edgepack's own code, and
    the packages that compute with it, which count always. Without a folder to keep them in,
    nothing is found, and what is kept stays in ``scratch`` for as long as that. Entries are data
    only: JSON and arrays. What is not whole, or cannot be written, is as good as not there. At
    most 2 GiB are kept.
    """

    def __init__(self, folder: Path | None, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch

    def forgetful(self) -> Cache:
        """Give a cache that keeps nothing: for what the user's own code decides."""
        return Cache(None, self._scratch)

    def find(self, key: Any) -> Entry | None:
        """Find what was kept under a key."""
        if self._folder is None:
            return None
        folder = self._folder / _name(key)
        try:
            told = json.loads((folder / _RESULT).read_bytes())
            sizes = {path.name: path.stat().st_size for path in _files(folder)}
            if sizes != told["files"]:
                return None
            os.utime(folder)
            return Entry(told["value"], folder)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def remember(self, key: Any, kind: type[T], make: Callable[[], T]) -> T:
        """Find a dataclass that was kept under a key, or make and keep it."""
        entry = self.find(key)
        if entry is not None:
            with suppress(ValueError):  # it does not fit
                return restore(kind, entry.value)
        made = make()
        self.keep(key, asdict(made))  # type: ignore[call-overload]  # a dataclass, all of them
        return made

    def keep(self, key: Any, value: Any, files: Mapping[str, Path] | None = None) -> Entry:
        """Keep a value, and files under names of their own, which are moved.

        Where the cache cannot be written the files stay in the scratch folder.
        """
        made = Path(tempfile.mkdtemp(dir=self._scratch))
        for name, path in (files or {}).items():
            shutil.move(path, made / name)
        entry = Entry(value, made)
        if self._folder is None:
            return entry
        sizes = {path.name: path.stat().st_size for path in _files(made)}
        folder = self._folder / _name(key)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            told = json.dumps({"files": sizes, "value": value})
            (made / _RESULT).write_text(told, encoding="utf-8")
            _replace(made, folder)
        except OSError:
            return entry
        with suppress(OSError):  # others may be at it too
            self._shrink()
        return Entry(value, folder)

    def _shrink(self) -> None:
        """Throw away what was not used for longest, if there is too much."""
        assert self._folder is not None  # noqa: S101 (the caller looked)
        entries = sorted(
            (path for path in self._folder.iterdir() if path.is_dir()),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
        total = 0
        for folder in entries:
            total += sum(path.stat().st_size for path in folder.iterdir())
            if total > _MOST_BYTES and folder.stat().st_mtime < time.time() - _IN_USE_S:
                shutil.rmtree(folder, ignore_errors=True)


def default_folder() -> Path | None:
    """Tell where results are kept: as the XDG Base Directory Specification has it; None nowhere."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgepack"
    except RuntimeError:  # no home
        return None


def _replace(made: Path, folder: Path) -> None:
    """Put a finished folder where others look for it, whole or not at all.

    Another process may have come first: what it put there, it may be reading.
    """
    if not _are_same(made, folder):
        beside = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
        try:
            shutil.copytree(made, beside, dirs_exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)  # it was not whole
            beside.rename(folder)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    shutil.rmtree(made)


def _are_same(made: Path, folder: Path) -> bool:
    """Whether a folder holds the files of another, each of the same bytes."""
    try:
        ours, theirs = ({path.name for path in each.iterdir()} for each in (made, folder))
        same, _, _ = filecmp.cmpfiles(made, folder, ours, shallow=False)
        return ours == theirs == set(same)
    except OSError:
        return False


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name != _RESULT)


def _name(key: Any) -> str:
    told = json.dumps([_code(), _packages(), key], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


@cache
def _code() -> str:
    """Digest the code of edgepack: another version may compute otherwise."""
    digest = hashlib.sha256()
    walked = os.walk(Path(__file__).parent, followlinks=True)  # a checkout links its folders
    for path in sorted(Path(folder, name) for folder, _, names in walked for name in names):
        if path.suffix in (".py", ".json", ".toml"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _packages() -> list[tuple[str, str]]:
    """Tell the versions of what computes besides, without importing it."""
    found = ((name, distributions(name=name)) for name in _DISTRIBUTIONS)
    return [(name, each.version) for name, all_of_it in found for each in all_of_it]
