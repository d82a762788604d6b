"""NumPy's files, .npz and .npy."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgepack.calibration.datasets.sources.columns import Columns, StoredArray
from edgepack.calibration.datasets.sources.source import Context, read_errors
from edgepack.core.errors import DatasetError


def open_npz(path: Path, context: Context) -> Columns:
    """Open an .npz with an array for each input, and perhaps for labels by output.

    Raises :class:`DatasetError` if the label array named in the project file is missing.
    """
    with read_errors(str(path)), zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}

    def column(member: str, name: str) -> Callable[[], StoredArray]:
        return lambda: StoredArray(
            str(path), repr(name), lambda: _member(path, member), sizes[member]
        )

    names = {member: member.removesuffix(".npy") for member in sizes}
    label = context.project_file.label
    if label is not None and label not in names.values():
        raise DatasetError(
            f"{path}: no array {label!r} for the labels; its arrays are {', '.join(names.values())}"
        )
    return Columns(
        str(path),
        {name: column(member, name) for member, name in names.items()},
        "save it with np.savez(file, {arguments})",
    )


def open_npy(path: Path, context: Context) -> Columns:  # noqa: ARG001 (like every source)
    """Open an .npy, the array of the model's single input."""

    def column() -> StoredArray:
        return StoredArray(str(path), "the array", lambda: path.open("rb"), path.stat().st_size)

    cure = "an .npy holds one array: save an .npz with np.savez(file, {arguments})"
    return Columns(str(path), {"x": column}, cure)


@contextmanager
def _member(path: Path, name: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        yield file
