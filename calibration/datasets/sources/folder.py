"""Folders with one file per sample; subfolders are classes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.source import Fields, SampleBlock, Survey
from edgepack.core.errors import DatasetError
from edgepack.core.user_files import is_special, leads_outside

_BLOCK_FILES = 16


class Folder(ABC):
    """A source of files, sorted by class, then by name.

    The subfolders are the classes: sorted by name, empty ones included, they have the labels 0 to
    n - 1. Without subfolders there are no labels. Raises :class:`DatasetError` for files next to
    subfolders, whose label is unknown, and if the project file names a label.
    """

    kind: str
    cure = "a folder is one input: save an .npz with np.savez(file, {arguments})"

    def __init__(self, path: Path, files: Iterable[str], label: str | None) -> None:
        self.name = str(path)
        self._path = path
        self._files = sorted(files, key=lambda name: name.replace("/", "\0"))
        self.total: int | None = len(self._files)
        folders = (entry.name for entry in path.iterdir() if entry.is_dir())
        self.classes = tuple(sorted(name for name in folders if not name.startswith(".")))
        if self.classes and label is not None:
            raise DatasetError(
                f"{path}: the subfolders are the classes; remove label = {label!r} from the"
                " project file"
            )
        unlabelled = [name for name in self._files if "/" not in name]
        if self.classes and unlabelled:
            raise DatasetError(
                f"{path}: {unlabelled[0]} is next to the subfolders, which are the classes;"
                " move it into the subfolder of its class"
            )

    @abstractmethod
    def read(self, file: Path) -> NDArray[Any]:
        """Decode a file. Raises a :class:`DatasetError` that names it."""

    def names(self) -> Sequence[str]:  # noqa: D102 (of the protocol)
        return ("x", "y") if self.classes else ("x",)

    def sample(self, row: int) -> str:  # noqa: D102
        return self._files[row]

    def survey(self, fields: Fields) -> Survey:  # noqa: ARG002, D102
        return Survey(count=len(self._files), labels=self._labels() if self.classes else None)

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:  # noqa: D102
        rows = range(len(self._files)) if chosen is None else chosen.tolist()
        labels = self._labels() if fields.labels else None
        for start in range(0, len(rows), _BLOCK_FILES):
            part = rows[start : start + _BLOCK_FILES]
            samples = [self.read(self._path / self._files[row]) for row in part]
            block = SampleBlock(rows=part, values={"x": samples})
            if labels is not None:
                block.values["y"] = labels[part]
            yield block

    def _labels(self) -> NDArray[np.int64]:
        numbers = {name: number for number, name in enumerate(self.classes)}
        return np.array([numbers[name.partition("/")[0]] for name in self._files])


def files_below(folder: Path) -> list[str]:
    """Return the files in a folder and its subfolders, as relative paths, without hidden ones.

    Raises :class:`DatasetError` for a subfolder that is a symbolic link, for a symbolic link to a
    file outside the folder, and for special files such as pipes, which may never end. Raises
    OSError for a folder that cannot be read.
    """

    def raise_error(error: OSError) -> None:
        raise error

    result: list[str] = []
    real_folder = folder.resolve()
    for place, folders, files in os.walk(folder, onerror=raise_error):
        inside = Path(place).relative_to(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if links := [name for name in folders if (Path(place) / name).is_symlink()]:
            raise DatasetError(
                f"{folder}: {inside / links[0]} is a link; replace it with the folder itself"
            )
        visible = [name for name in files if not name.startswith(".")]
        if special := [name for name in visible if is_special(Path(place) / name)]:
            raise DatasetError(
                f"{folder}: {inside / special[0]} is a pipe, a socket or a device; remove it"
            )
        if outside := [name for name in visible if leads_outside(Path(place) / name, real_folder)]:
            raise DatasetError(
                f"{folder}: {inside / outside[0]} is a link that leads out of the folder; copy the"
                " file into it"
            )
        result += [(inside / name).as_posix() for name in visible]
    return result
