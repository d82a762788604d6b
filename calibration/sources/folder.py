"""Folders with a file for each sample; subfolders are classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.sources.source import Block, Fields, Survey
from edgepack.errors import DatasetError

_BLOCK_FILES = 16


class Folder(ABC):
    """A source of files, in the order of their names, class by class.

    Subfolders are classes: sorted by name they are the labels 0 to n - 1, empty ones included.
    Without subfolders there are no labels. Raises :class:`DatasetError` for files beside the
    subfolders, whose label is not known.
    """

    kind: str
    cure = "a folder is one input: save an .npz with np.savez(file, {arguments})"

    def __init__(self, path: Path, files: Iterable[Path]) -> None:
        self.name = str(path)
        self._path = path
        self._files = sorted(files, key=lambda file: file.relative_to(path).parts)
        self.total: int | None = len(self._files)
        folders = (entry for entry in path.iterdir() if entry.is_dir())
        self.classes = tuple(sorted(each.name for each in folders if not is_hidden(each)))
        loose = [file for file in self._files if file.parent == path]
        if self.classes and loose:
            raise DatasetError(
                f"{path}: {loose[0].name} lies beside the subfolders, which are the classes;"
                " move it into the folder of its class"
            )

    @abstractmethod
    def read(self, file: Path) -> NDArray[Any]:
        """Decode a file. Raises :class:`DatasetError` that names it."""

    def names(self) -> Sequence[str]:  # noqa: D102 (of the protocol)
        return ("x", "y") if self.classes else ("x",)

    def sample(self, row: int) -> str:  # noqa: D102
        return self._files[row].relative_to(self._path).as_posix()

    def survey(self, fields: Fields) -> Survey:  # noqa: ARG002, D102
        return Survey(count=len(self._files), labels=self._labels() if self.classes else None)

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[Block]:  # noqa: D102
        rows = range(len(self._files)) if chosen is None else chosen.tolist()
        labels = self._labels() if fields.labels else None
        for start in range(0, len(rows), _BLOCK_FILES):
            part = rows[start : start + _BLOCK_FILES]
            block = Block(rows=part, values={"x": [self.read(self._files[row]) for row in part]})
            if labels is not None:
                block.values["y"] = labels[part]
            yield block

    def _labels(self) -> NDArray[np.int64]:
        numbers = {name: number for number, name in enumerate(self.classes)}
        return np.array([numbers[file.relative_to(self._path).parts[0]] for file in self._files])


def is_hidden(path: Path) -> bool:
    """Whether a name says that this is no sample: ``.DS_Store``, ``.git``."""
    return path.name.startswith(".")


def files_below(folder: Path) -> list[Path]:
    """Find the files of a folder and its subfolders, without hidden ones."""
    return [
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
