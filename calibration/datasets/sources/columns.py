"""Arrays of equal length whose rows are samples, in memory or stored as .npy."""

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
    MAX_ROW_BYTES,
    Fields,
    SampleBlock,
    Survey,
    read_errors,
    rows_between,
)
from edgepack.core.errors import DatasetError

_FORMAT: Any = np.lib.format  # has types since numpy 2 only


class SampleColumn(Protocol):
    """An array that is read in blocks of rows."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read the rows in order, ``rows`` at a time."""


class Columns:
    """A source of named arrays; ``columns`` has a function for each that opens it."""

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
                with read_errors(self.name):
                    blocks = [block.reshape(-1) for block in column.blocks(_block_rows([column]))]
                return Survey(count=total, labels=np.concatenate(blocks) if blocks else None)
        return Survey(count=total, labels=None)

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:  # noqa: D102
        total = self._open(fields)
        columns = {name: self._opened[name] for name in fields.names}
        size = _block_rows(list(columns.values()))
        with read_errors(self.name):
            parts = zip(*(column.blocks(size) for column in columns.values()), strict=True)
            for start, arrays in zip(range(0, total, size), parts, strict=True):
                rows = rows_between(start, min(start + size, total), chosen)
                kept = slice(None) if chosen is None else np.subtract(rows, start, dtype=np.intp)
                if len(rows):
                    values = (array[kept] for array in arrays)
                    yield SampleBlock(rows=rows, values=dict(zip(columns, values, strict=True)))

    def _open(self, fields: Fields) -> int:
        """Read the headers of the arrays, check their shapes, and return the number of samples."""
        with read_errors(self.name):
            for name in fields.names:
                if name not in self._opened:
                    self._opened[name] = self._columns[name]()
        shapes = {name: column.shape for name, column in self._opened.items()}
        first, *_ = fields.inputs.values()
        for name in fields.inputs.values():
            if not shapes[name]:
                raise DatasetError(
                    f"{self.name}: {name!r} is a single number; provide one value per sample"
                )
            if shapes[name][0] != shapes[first][0]:
                raise DatasetError(
                    f"{self.name}: {name!r} holds {shapes[name][0]} samples, but {first!r} holds"
                    f" {shapes[first][0]}; provide the same samples in all arrays"
                )
            if (row_bytes := _row_bytes(self._opened[name])) > MAX_ROW_BYTES:
                raise DatasetError(
                    f"{self.name}: {name!r} has shape {shapes[name]}: a row takes"
                    f" {row_bytes >> 20:,} MiB, more than {MAX_ROW_BYTES >> 20} MiB; provide one"
                    " sample per row"
                )
        self.total = total = shapes[first][0]
        for name in fields.labels.values():
            if shapes[name][:1] != (total,):
                values = f"{shapes[name][0]} values" if shapes[name] else "one value"
                raise DatasetError(
                    f"{self.name}: {name!r} holds {values} for {total} samples; provide one per"
                    " sample"
                )
        return total


def _row_bytes(column: SampleColumn) -> int:
    return math.prod(column.shape[1:]) * column.dtype.itemsize


def _block_rows(columns: Sequence[SampleColumn]) -> int:
    """Return how many rows of the columns to read at a time."""
    return max(1, BLOCK_BYTES // max(1, *map(_row_bytes, columns)))


class InMemoryArray:
    """An array in memory."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.shape = array.shape
        self.dtype = array.dtype
        self._array = array

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Slice the array."""
        for start in range(0, self.shape[0], rows):
            yield self._array[start : start + rows]


class StoredArray:
    """An array in .npy format, in a file of its own or in an archive.

    ``open_file`` opens the file, each time from its start; ``size`` is its size in bytes;
    ``source`` and ``name`` are for messages. Raises :class:`DatasetError` for a file that is not
    an array of numbers, for pickled objects, which are never read, and for a size other than the
    header specifies.
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
            header = _read_header(file)
            self._start = file.tell()
        if header is None:
            raise DatasetError(f"{source}: {name} is not an array of numbers; provide numbers")
        self.shape, self._is_fortran, self.dtype = header
        if self.dtype.hasobject:
            raise DatasetError(
                f"{source}: holds pickled objects, which could run code on loading;"
                " save plain arrays of numbers, all samples of the same shape"
            )
        if math.prod(self.shape) * self.dtype.itemsize != size - self._start:
            raise DatasetError(
                f"{source}: damaged: {name}, of shape {self.shape} {self.dtype}, has"
                f" {size - self._start} bytes"
            )

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read the file in a single pass."""
        if self._is_fortran and len(self.shape) > 1:
            yield from self._transposed(rows)
            return
        with self._open() as file:
            file.read(self._start)
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                data = file.read(math.prod(shape) * self.dtype.itemsize)
                yield np.frombuffer(data, self.dtype).reshape(shape)
            file.read(1)  # at the end of a member, zipfile verifies its checksum

    def _transposed(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read an array in Fortran order from an uncompressed, seekable copy."""
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


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]] | None:
    """Read shape, whether the order is Fortran's, and dtype; None if it is no .npy header."""
    readers = {b"\1\0": _FORMAT.read_array_header_1_0, b"\2\0": _FORMAT.read_array_header_2_0}
    magic, version = file.read(len(_FORMAT.MAGIC_PREFIX)), file.read(2)
    if magic != _FORMAT.MAGIC_PREFIX or version not in readers:
        return None
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = readers[version](file)
    return header
