"""Write .npy files block by block, so that memory use stays constant."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgepack.storage.arrays import blocks, load_array

_FORMAT: Any = np.lib.format  # typed since numpy 2


class NpyWriter:
    """Writer of an .npy file, by blocks of rows. Raises OSError if the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._file: BinaryIO = path.open("wb")
        self._dtype: np.dtype[Any] | None = None
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if error is None and self._dtype is not None:
                self._file.seek(0)
                self._write_header()

    def add(self, rows: NDArray[Any]) -> None:
        """Append rows, shape (samples, ...), with the dtype and row shape of the first ones.

        Raises TypeError for a dtype that cannot be cast to the first one within its kind, and
        ValueError for another row shape.
        """
        if self._dtype is None:
            self._dtype, self._shape = rows.dtype, rows.shape[1:]
            self._write_header()
        if rows.shape[1:] != self._shape:
            raise ValueError(f"shape {rows.shape[1:]} after {self._shape}")
        contiguous = np.ascontiguousarray(rows.astype(self._dtype, casting="same_kind", copy=False))
        self._file.write(contiguous.data)
        self.rows += len(rows)

    def _write_header(self) -> None:
        """Write the header, which has room for any number of rows."""
        fields = {"descr": self._dtype, "fortran_order": False, "shape": (self.rows, *self._shape)}
        descr = _FORMAT.dtype_to_descr(self._dtype)
        _FORMAT.write_array_header_1_0(self._file, fields | {"descr": descr})


def write_selected_rows(array: NDArray[Any], mask: NDArray[np.bool_], path: Path) -> NDArray[Any]:
    """Write the selected rows of an array (samples, ...) to a file, and return it memory-mapped.

    ``mask``, shape (samples,), selects at least one row. Works block by block.
    """
    with NpyWriter(path) as writer:
        for rows, (block,) in blocks(array):
            if mask[rows].any():
                writer.add(block[mask[rows]])
    return load_array(path)
