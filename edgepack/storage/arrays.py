"""Arrays in files, as processes hand them to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from mmap import mmap
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Arrays by the name of a model's input or output, in the model's order."""

_BLOCK_BYTES = 1 << 20


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an .npy file. Raises OSError if the disk is full.

    ``numpy.save`` to a file loses that error, and leaves the file cut short: it writes through
    C's buffers and does not look when they are emptied. Told nothing but how to write, it works
    through Python's.
    """
    write_array: Any = np.lib.format.write_array  # typed from numpy 2 on
    with path.open("wb") as file:
        write_array(SimpleNamespace(write=file.write), array, allow_pickle=False)


def load_array(path: Path) -> NDArray[Any]:
    """Map an .npy file into memory, to read."""
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def file_of(array: NDArray[Any]) -> Path | None:
    """Find the .npy file that :func:`load_array` mapped; None for a part of one, or another."""
    is_whole = isinstance(array, np.memmap) and isinstance(array.base, mmap)
    if not is_whole or not array.flags.c_contiguous:
        return None
    return Path(cast("Any", array).filename)


def read_rows(path: Path, start: int, stop: int) -> NDArray[Any]:
    """Read some rows of an .npy file in C order, and no others; fewer if there are fewer.

    What is mapped counts as memory of the process once it was touched; what is read this way does
    not outlast its use.
    """
    with path.open("rb") as file:
        form: Any = np.lib.format  # typed from numpy 2 on
        version = form.read_magic(file)
        read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
        shape, _, dtype = read(file)
        row = shape[1:]
        stop = min(stop, shape[0])
        size = int(np.prod(row))
        file.seek(start * size * dtype.itemsize, 1)
        return np.fromfile(file, dtype, (stop - start) * size).reshape(stop - start, *row)


def blocks(*arrays: NDArray[Any]) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """Take arrays of equally many rows apart: the same rows of each.

    In float64, as what is computed of them, those take some 1 MiB in all. What :func:`load_array`
    mapped is read by :func:`read_rows`, so that memory stays flat.

    >>> for rows, (letters, numbers) in blocks(np.array(["a", "b"]), np.array([1, 2])):
    ...     print(rows, letters, numbers)
    slice(0, 2, None) ['a' 'b'] [1 2]
    """
    for rows in stretches(len(arrays[0]), *arrays):
        yield rows, [take(array, rows) for array in arrays]


def stretches(samples: int, *arrays: NDArray[Any]) -> Iterator[slice]:
    """Cut so many samples into stretches, for which :func:`blocks` says how long they are."""
    count = max(1, _BLOCK_BYTES // max(1, sum(8 * array[:1].size for array in arrays)))
    for start in range(0, samples, count):
        yield slice(start, min(start + count, samples))


def take(array: NDArray[Any], rows: slice) -> NDArray[Any]:
    """Take rows side by side, of a map past the map."""
    path = file_of(array)
    start, stop, _ = rows.indices(len(array))
    return array[start:stop] if path is None else read_rows(path, start, stop)


def pick(array: NDArray[Any], numbers: Iterable[int]) -> NDArray[Any]:
    """Take rows by their numbers, of a map past the map: touching it would map what lies around."""
    return np.concatenate([take(array, slice(number, number + 1)) for number in numbers])


def extremes(array: NDArray[Any]) -> NDArray[Any]:
    """Find the least and the largest value, by blocks; NaN if there is one.

    >>> extremes(np.array([[3, 1], [2, 5]]))
    array([1, 5])
    """
    found = np.array([(block.min(), block.max()) for _, (block,) in blocks(array)])
    return np.array([found[:, 0].min(), found[:, 1].max()])


def array_paths(stem: Path, names: Iterable[str]) -> dict[str, str]:
    """Name the .npy files next to ``stem``, one for each name: that may hold any character."""
    return {
        name: str(stem.with_name(f"{stem.name}-{index}.npy")) for index, name in enumerate(names)
    }


def save_arrays(stem: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Write one .npy file for each array, next to ``stem``; returns the paths by name."""
    paths = array_paths(stem, arrays)
    for name, array in arrays.items():
        save_array(Path(paths[name]), array)
    return paths


def load_arrays(paths: Mapping[str, str]) -> Arrays:
    """Map what :func:`save_arrays` wrote into memory, to read."""
    return {name: load_array(Path(path)) for name, path in paths.items()}
