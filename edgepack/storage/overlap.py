"""What a command reads must not lie where it writes, for that is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from edgepack.config.export import is_function_name
from edgepack.core.errors import OutputError

_MOST_LINKS = 40


def require_no_overlap(output: Path, inputs: Iterable[Any]) -> None:
    """Raise :class:`OutputError` if a folder that is to be written holds an input, or lies in one.

    ``output`` is a real path, whether it is there or not. ``inputs`` are files and folders; what
    else data may be, names of functions and objects, lies nowhere. The working folder must not lie
    in the output either.
    """
    if any(_holds(output, folder) for folder in _working_folder()):
        raise OutputError(
            f"{output}: holds the working folder, which would be replaced with it; choose another"
            " --output, or work in another folder"
        )
    for path in _paths(inputs):
        if any(_holds(output, place) for each in _with_links(path) for place in _places(each)):
            raise _held(output, path)
        if os.path.isdir(path) and _holds(Path(os.path.realpath(path)), output):  # noqa: PTH112 (of any name)
            raise OutputError(
                f"{output}: lies in {path}, which this command reads; choose an --output outside"
                " of it"
            )


def require_unlinked(output: Path, inputs: Iterable[Any]) -> None:
    """Raise :class:`OutputError` if an input is a file of the output under another name."""
    linked = _linked(output)
    for path in _paths(inputs):
        if _identity(path) in linked:
            raise _held(output, path)


def _with_links(path: Path) -> Iterator[Path]:
    """Give a path, and the links in it if it is a folder."""
    yield path
    if os.path.isdir(path):  # noqa: PTH112 (of any name)
        yield from (each for each in path.rglob("*") if each.is_symlink())


def _held(output: Path, path: Path) -> OutputError:
    return OutputError(
        f"{output}: holds {path}, which this command reads, and which would be replaced with it;"
        " choose another --output"
    )


def _paths(inputs: Iterable[Any]) -> Iterator[Path]:
    """Pick the inputs that are files or folders."""
    for given in inputs:
        if isinstance(given, Path) or (isinstance(given, str) and not is_function_name(given)):
            yield Path(given)


def _working_folder() -> list[Path]:
    try:
        return [Path.cwd()]
    except OSError:  # it was removed, say
        return []


_Identity = tuple[int, int]


def _identity(path: Path) -> _Identity | None:
    """Tell a file from any other by its device and number; None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _holds(folder: Path, place: Path) -> bool:
    """Whether a place is a folder or lies in it, by its name, or by what that stands for."""
    if place.is_relative_to(folder):
        return True
    its = _identity(folder)
    return its is not None and any(_identity(each) == its for each in (place, *place.parents))


def _places(path: Path) -> Iterator[Path]:
    """Give the real places of the links that a path leads over, and of where it leads."""

    def follow(path: Path) -> Iterator[Path]:
        while True:
            place = Path(os.path.realpath(path.parent), path.name)
            if path.name == ".." or not place.is_symlink():
                return
            yield place
            path = place.parent / place.readlink()

    with suppress(OSError, ValueError):  # who reads it says what is wrong with it
        yield Path(os.path.realpath(path))
        yield from islice(follow(path), _MOST_LINKS)


def _linked(folder: Path) -> set[_Identity]:
    """Find the files of a folder that have other names too."""
    found = set()
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            if status.st_nlink > 1 and not path.is_dir():
                found.add((status.st_dev, status.st_ino))
    return found
