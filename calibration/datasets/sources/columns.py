"""Arrays of the same length, whose rows are samples: in memory, or stored as .npy."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.source import (
    BLOCK_BYTES,
    MOST_ROW_BYTES,
    Fields,
    SampleBlock,
    Survey,
    explain_reading,
    picked,
)
from edgepack.core.errors import DatasetError

_FORMAT: Any = np.lib.format  # typed from numpy 2 on


class SampleColumn(Protocol):
    """An array that is read by blocks of rows."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read the rows in order, so many at a time."""


class Columns:
    """A source of arrays; ``columns`` opens each by its name."""

    classes: tuple[str, ...] = ()
    kind = "numbers"

    def __init__(
        self, name: str, columns: Mapping[str, Callable[[], SampleColumn]], cure: str
    ) -> None:
        self.name = name
        self.cure = cure
        self.total: int | None = None
        self._columns = columns
        self._opened: dict[str, SampleColumn] = {}

    def names(self) -> Sequence[str]:  # noqa: D102 (of the protocol)
        return sorted(self._columns)

    def sample(self, row: int) -> str:  # noqa: D102
        return f"sample {row}"

    def survey(self, fields: Fields) -> Survey:  # noqa: D102
        total = self._open(fields)
        columns = [self._opened[name] for name in fields.labels.values()]
        for column in columns:
            if math.prod(column.shape) == total and column.dtype.kind in "fiu":
                with explain_reading(self.name):
                    blocks = [block.reshape(-1) for block in column.blocks(_rows([column]))]
                return Survey(count=total, labels=np.concatenate(blocks) if blocks else None)
        return Survey(count=total, labels=None)

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:  # noqa: D102
        total = self._open(fields)
        columns = {name: self._opened[name] for name in fields.names}
        size = _rows(list(columns.values()))
        with explain_reading(self.name):
            parts = zip(*(column.blocks(size) for column in columns.values()), strict=True)
            for start, arrays in zip(range(0, total, size), parts, strict=True):
                rows = picked(start, min(start + size, total), chosen)
                kept = slice(None) if chosen is None else np.subtract(rows, start, dtype=np.intp)
                if len(rows):
                    values = (array[kept] for array in arrays)
                    yield SampleBlock(rows=rows, values=dict(zip(columns, values, strict=True)))

    def _open(self, fields: Fields) -> int:
        """Read the heads of the arrays, and compare their lengths; returns the number of rows."""
        with explain_reading(self.name):
            for name in fields.names:
                if name not in self._opened:
                    self._opened[name] = self._columns[name]()
        shapes = {name: column.shape for name, column in self._opened.items()}
        first, *_ = fields.inputs.values()
        for name in fields.inputs.values():
            if not shapes[name]:
                raise DatasetError(f"{self.name}: {name!r} is a single number; give one a sample")
            if shapes[name][0] != shapes[first][0]:
                raise DatasetError(
                    f"{self.name}: {name!r} holds {shapes[name][0]} samples, {first!r}"
                    f" {shapes[first][0]}; give the same samples in all"
                )
            if (row_bytes := _row_bytes(self._opened[name])) > MOST_ROW_BYTES:
                raise DatasetError(
                    f"{self.name}: {name!r} has shape {shapes[name]}: a row takes"
                    f" {row_bytes >> 20:,} MiB, more than {MOST_ROW_BYTES >> 20}; give one"
                    " sample in each row"
                )
        self.total = total = shapes[first][0]
        for name in fields.labels.values():
            if shapes[name][:1] != (total,):
                held = f"{shapes[name][0]} values" if shapes[name] else "one value"
                raise DatasetError(
                    f"{self.name}: {name!r} holds {held} for {total} samples; give one for each"
                )
        return total


def _row_bytes(column: SampleColumn) -> int:
    return math.prod(column.shape[1:]) * column.dtype.itemsize


def _rows(columns: Sequence[SampleColumn]) -> int:
    return max(1, BLOCK_BYTES // max(1, *map(_row_bytes, columns)))


class InMemoryArray:
    """An array in memory."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.shape = array.shape
        self.dtype = array.dtype
        self._array = array

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Cut the array."""
        for start in range(0, self.shape[0], rows):
            yield self._array[start : start + rows]


class StoredArray:
    """An array in the format of .npy, in a file of its own or in an archive.

    ``open_file`` opens it anew, ``size`` is how many bytes it has; ``source`` and ``name`` are
    for messages. Raises :class:`DatasetError` for pickled objects, which are never read, and for a
    size other than its head announces.
    """

    def __init__(
        self,
        source: str,
        name: str,
        open_file: Callable[[], AbstractContextManager[IO[bytes]]],
        size: int,
    ) -> None:
        self._open = open_file
        with open_file() as file:
            head = _head(file)
            self._start = file.tell()
        if head is None:
            raise DatasetError(f"{source}: {name} is no array of numbers; give numbers")
        self.shape, self._is_fortran, self.dtype = head
        if self.dtype.hasobject:
            raise DatasetError(
                f"{source}: holds pickled objects, which could run code on loading;"
                " save plain arrays of numbers, all samples of one shape"
            )
        if math.prod(self.shape) * self.dtype.itemsize != size - self._start:
            raise DatasetError(
                f"{source}: damaged: {name}, of shape {self.shape} {self.dtype}, has"
                f" {size - self._start} bytes"
            )

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read the file once."""
        if self._is_fortran and len(self.shape) > 1:
            yield from self._transposed(rows)
            return
        with self._open() as file:
            file.read(self._start)
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                data = file.read(math.prod(shape) * self.dtype.itemsize)
                yield np.frombuffer(data, self.dtype).reshape(shape)
            file.read(1)  # at its end an archive compares the checksum

    def _transposed(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read an array whose columns lie together, from a copy that can be read anywhere."""
        columns = math.prod(self.shape[1:])
        with tempfile.TemporaryFile() as copy, self._open() as file:
            file.read(self._start)
            shutil.copyfileobj(file, copy)
            for start in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - start)
                parts = []
                for column in range(columns):
                    copy.seek((column * self.shape[0] + start) * self.dtype.itemsize)
                    parts.append(copy.read(count * self.dtype.itemsize))
                block = np.frombuffer(b"".join(parts), self.dtype)
                yield np.ascontiguousarray(block.reshape(*self.shape[:0:-1], count).T)


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]] | None:
    """Read shape, order and dtype; None if there is no head of an array of numbers."""
    readers = {b"\1\0": _FORMAT.read_array_header_1_0, b"\2\0": _FORMAT.read_array_header_2_0}
    magic, version = file.read(len(_FORMAT.MAGIC_PREFIX)), file.read(2)
    if magic != _FORMAT.MAGIC_PREFIX or version not in readers:
        return None
    head: tuple[tuple[int, ...], bool, np.dtype[Any]] = readers[version](file)
    return head
