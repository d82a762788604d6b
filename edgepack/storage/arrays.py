"""Arrays in .npy files, by which processes exchange them; they are read block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Arrays by the name of the model's input or output, in the model's order."""

_BLOCK_BYTES = 1 << 20


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an .npy file. Raises OSError if the disk is full.

    ``numpy.save`` to a file loses that error and leaves a truncated file: it writes through C's
    buffers and does not check that they are flushed. With an object that can only write, it uses
    Python's buffers.
    """
    write_array: Any = np.lib.format.write_array  # typed since numpy 2
    with path.open("wb") as file:
        write_array(SimpleNamespace(write=file.write), array, allow_pickle=False)


def load_array(path: Path) -> NDArray[Any]:
    """Memory-map an .npy file for reading."""
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def mapped_file(array: NDArray[Any]) -> Path | None:
    """Return the .npy file that :func:`load_array` mapped; None for slices and other arrays."""
    is_whole = isinstance(array, np.memmap) and isinstance(array.base, mmap)
    if not is_whole or not array.flags.c_contiguous:
        return None
    return Path(cast("Any", array).filename)


@dataclass(frozen=True)
class _NpyRows:
    """The rows of an open .npy file in C order."""

    file: BinaryIO
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int

    def read(self, first: int, count: int) -> NDArray[Any]:
        """Read consecutive rows."""
        row_size = int(np.prod(self.shape[1:]))
        self.file.seek(self.start + first * row_size * self.dtype.itemsize)
        return np.fromfile(self.file, self.dtype, count * row_size).reshape(count, *self.shape[1:])


@contextmanager
def _open_rows(path: Path) -> Iterator[_NpyRows]:
    with path.open("rb") as file:
        npy: Any = np.lib.format  # typed since numpy 2
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
        yield _NpyRows(file, shape, dtype, file.tell())


def read_rows(path: Path, start: int, stop: int) -> NDArray[Any]:
    """Read only the rows from ``start`` to ``stop`` of an .npy file in C order, or up to its end.

    Pages of a memory map count towards the memory of the process once they are touched; rows that
    are read this way are freed after use.
    """
    with _open_rows(path) as rows:
        return rows.read(start, min(stop, rows.shape[0]) - start)


def read_chosen_rows(path: Path, chosen: Iterable[int]) -> NDArray[Any]:
    """Read one or more rows of an .npy file in C order, in any order, as :func:`read_rows` does."""
    with _open_rows(path) as rows:
        return np.concatenate([rows.read(row, 1) for row in chosen])


def blocks(*arrays: NDArray[Any]) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """Yield blocks of the same rows of several arrays with equally many rows, with their slice.

    A block of all arrays takes about 1 MiB as float64, the type of what is computed from it.
    Arrays that :func:`load_array` mapped are read by :func:`read_rows`, so that memory use stays
    constant.

    >>> for rows, (letters, numbers) in blocks(np.array(["a", "b"]), np.array([1, 2])):
    ...     print(rows, letters, numbers)
    slice(0, 2, None) ['a' 'b'] [1 2]
    """
    for rows in block_slices(len(arrays[0]), *arrays):
        yield rows, [read_slice(array, rows) for array in arrays]


def block_slices(samples: int, *arrays: NDArray[Any]) -> Iterator[slice]:
    """Yield the slices of the blocks of :func:`blocks`, for this number of samples."""
    count = max(1, _BLOCK_BYTES // max(1, sum(8 * array[:1].size for array in arrays)))
    for start in range(0, samples, count):
        yield slice(start, min(start + count, samples))


def read_slice(array: NDArray[Any], rows: slice) -> NDArray[Any]:
    """Return consecutive rows; those of a memory-mapped file are read, not mapped."""
    path = mapped_file(array)
    start, stop, _ = rows.indices(len(array))
    return array[start:stop] if path is None else read_rows(path, start, stop)


def read_rows_by_index(array: NDArray[Any], numbers: Iterable[int]) -> NDArray[Any]:
    """Return rows by their indices; those of a memory-mapped file are read.

    Touching the map would load neighboring pages too.
    """
    return np.concatenate([read_slice(array, slice(number, number + 1)) for number in numbers])


def spread(arrays: Sequence[NDArray[Any]], most: int) -> list[NDArray[Any]]:
    """Return at most ``most`` of the rows of arrays with equally many, evenly spaced.

    Datasets are often sorted by class.
    """
    count = len(arrays[0])
    rows = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [read_rows_by_index(array, rows) for array in arrays]


def min_and_max(array: NDArray[Any]) -> NDArray[Any]:
    """Return the minimum and maximum, shape (2,), computed by blocks; NaN if there is any.

    >>> min_and_max(np.array([[3, 1], [2, 5]]))
    array([1, 5])
    """
    ranges = np.array([(block.min(), block.max()) for _, (block,) in blocks(array)])
    return np.array([ranges[:, 0].min(), ranges[:, 1].max()])


def array_paths(stem: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the path of an .npy file beside ``stem`` for each name.

    Names may contain any character, so the paths are numbered.
    """
    return {
        name: str(stem.with_name(f"{stem.name}-{index}.npy")) for index, name in enumerate(names)
    }


def save_arrays(stem: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Write an .npy file for each array, beside ``stem``; returns the paths by name."""
    paths = array_paths(stem, arrays)
    for name, array in arrays.items():
        save_array(Path(paths[name]), array)
    return paths


def load_arrays(paths: Mapping[str, str]) -> Arrays:
    """Memory-map the files that :func:`save_arrays` wrote, for reading."""
    return {name: load_array(Path(path)) for name, path in paths.items()}
