"""Arrays in files, as processes hand them to each other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
