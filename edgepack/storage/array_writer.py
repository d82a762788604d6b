"""Arrays on their way to disk: .npy files that grow by blocks, so that memory does not."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgepack.storage.arrays import blocks, load_array

_FORMAT: Any = np.lib.format  # typed from numpy 2 on


class NpyWriter:
    """An .npy file that is being written. Raises OSError if the disk is full."""

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
                self._write_head()

    def add(self, rows: NDArray[Any]) -> None:
        """Write rows (samples, ...), all of the first ones' dtype and shape.

        Raises TypeError for a dtype that the first one does not hold, ValueError for a shape.
        """
        if self._dtype is None:
            self._dtype, self._shape = rows.dtype, rows.shape[1:]
            self._write_head()
        if rows.shape[1:] != self._shape:
            raise ValueError(f"shape {rows.shape[1:]} after {self._shape}")
        ordered = np.ascontiguousarray(rows.astype(self._dtype, casting="same_kind", copy=False))
        self._file.write(ordered.data)
        self.rows += len(rows)

    def _write_head(self) -> None:
        """Write the head, which has room for any number of rows."""
        fields = {"descr": self._dtype, "fortran_order": False, "shape": (self.rows, *self._shape)}
        descr = _FORMAT.dtype_to_descr(self._dtype)
        _FORMAT.write_array_header_1_0(self._file, fields | {"descr": descr})


def chosen_rows(array: NDArray[Any], mask: NDArray[np.bool_], path: Path) -> NDArray[Any]:
    """Write some rows (samples, ...) of an array to a file, block by block, and map that.

    ``mask`` says which, shape (samples,): one at least.
    """
    with NpyWriter(path) as spool:
        for rows, (block,) in blocks(array):
            if mask[rows].any():
                spool.add(block[mask[rows]])
    return load_array(path)
