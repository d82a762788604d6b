"""Arrays survive the round trip through files, or writing them raises an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgepack.storage.arrays import load_array, read_slice, save_array


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.zeros((0, 2)), np.arange(8, dtype=np.int8)[::2]]
)
def test_an_array_comes_back(tmp_path: Path, array: np.ndarray) -> None:
    save_array(tmp_path / "a.npy", array)
    back = load_array(tmp_path / "a.npy")
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("rows", [slice(None), slice(1, 2), slice(1, 9), slice(-1, None)])
def test_rows_of_a_mapped_file_are_read(tmp_path: Path, rows: slice) -> None:
    array = np.arange(6.0).reshape(3, 2)
    save_array(tmp_path / "a.npy", array)
    mapped = load_array(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_slice(mapped, rows), array[rows])
    assert not isinstance(read_slice(mapped, rows), np.memmap)


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_full_disk_is_an_error(size: int) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        save_array(Path("/dev/full"), np.zeros(size))
