"""Check that the inputs of a command do not overlap its output, which is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from edgepack.config.inputs import is_function_name
from edgepack.core.errors import OutputError

_MAX_LINKS = 40


def require_no_overlap(output: Path, inputs: Iterable[Any]) -> None:
    """Raise :class:`OutputError` if the output folder contains an input, or is inside one.

    ``output`` is a real path, which need not exist. ``inputs`` are files and folders; names of
    functions, and objects, are ignored. The working folder must not be inside the output either.
    """
    if any(_contains(output, folder) for folder in _working_folder()):
        raise OutputError(
            f"{output}: contains the working folder, which would be replaced with it; choose"
            " another --output, or work in another folder"
        )
    for path in _paths(inputs):
        resolved = (place for each in _with_links(path) for place in _real_paths(each))
        if any(_contains(output, place) for place in resolved):
            raise _overlap_error(output, path)
        if os.path.isdir(path) and _contains(Path(os.path.realpath(path)), output):  # noqa: PTH112 (of any name)
            raise OutputError(
                f"{output}: is inside {path}, which this command reads; choose an --output outside"
                " of it"
            )


def require_no_hard_links(output: Path, inputs: Iterable[Any]) -> None:
    """Raise :class:`OutputError` if an input is a hard link to a file in the output folder."""
    linked = _hard_linked(output)
    for path in _paths(inputs):
        if _identity(path) in linked:
            raise _overlap_error(output, path)


def _with_links(path: Path) -> Iterator[Path]:
    """Yield a path, and the symlinks in it if it is a folder."""
    yield path
    if os.path.isdir(path):  # noqa: PTH112 (of any name)
        yield from (each for each in path.rglob("*") if each.is_symlink())


def _overlap_error(output: Path, path: Path) -> OutputError:
    return OutputError(
        f"{output}: contains {path}, which this command reads, and which would be replaced with it;"
        " choose another --output"
    )


def _paths(inputs: Iterable[Any]) -> Iterator[Path]:
    """Yield the inputs that are files or folders."""
    for each in inputs:
        if isinstance(each, Path) or (isinstance(each, str) and not is_function_name(each)):
            yield Path(each)


def _working_folder() -> list[Path]:
    try:
        return [Path.cwd()]
    except OSError:  # it was removed, for example
        return []


_Identity = tuple[int, int]


def _identity(path: Path) -> _Identity | None:
    """Return the device and inode number of a file, which identify it; None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _contains(folder: Path, path: Path) -> bool:
    """Whether a path is the folder or inside it, by name or by identity."""
    if path.is_relative_to(folder):
        return True
    identity = _identity(folder)
    return identity is not None and any(
        _identity(each) == identity for each in (path, *path.parents)
    )


def _real_paths(path: Path) -> Iterator[Path]:
    """Yield the real path of the target of a path, and of the symlinks that lead there."""

    def follow(path: Path) -> Iterator[Path]:
        while True:
            link = Path(os.path.realpath(path.parent), path.name)
            if path.name == ".." or not link.is_symlink():
                return
            yield link
            path = link.parent / link.readlink()

    with suppress(OSError, ValueError):  # reported when the file is read
        yield Path(os.path.realpath(path))
        yield from islice(follow(path), _MAX_LINKS)


def _hard_linked(folder: Path) -> set[_Identity]:
    """Return the files of a folder that have several hard links."""
    linked = set()
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            if status.st_nlink > 1 and not path.is_dir():
                linked.add((status.st_dev, status.st_ino))
    return linked
