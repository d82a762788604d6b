"""Pack and unpack 4-bit integers, two per byte as in TensorFlow Lite: the first in the low half."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack the integers -8..7 of an array into bytes, flattened.

    >>> pack(np.array([1, -1, 7], np.int8)).tolist()
    [241, 7]
    """
    halves = np.append(values.reshape(-1), np.zeros(values.size % 2, np.int8)).view(np.uint8)
    return np.asarray((halves[0::2] & 0x0F) | (halves[1::2] << 4), np.uint8)


def unpack(packed: NDArray[Any], count: int) -> NDArray[np.int8]:
    """Unpack ``count`` integers from bytes.

    >>> unpack(np.array([241, 7], np.uint8), 3).tolist()
    [1, -1, 7]
    """
    halves = np.stack([packed << 4, packed & 0xF0], axis=-1).reshape(-1)[:count]
    numbers: NDArray[np.int8] = halves.view(np.int8) >> 4
    return numbers
