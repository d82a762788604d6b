"""Read the constants of a .tflite file as they are stored."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.graph import Tensor
from edgepack.tflite.nibbles import unpack


def stored_values(tensor: Tensor) -> NDArray[Any]:
    r"""Return the stored values of a constant as a flat array.

    A sparse constant may store any number of values. int4 values are returned as int8.

    >>> stored_values(Tensor(name="x", shape=(3,), dtype="int4", quant=None, data=b"\xf1\x07"))
    array([ 1, -1,  7], dtype=int8)
    """
    if tensor.dtype == "int4":
        return unpack(np.frombuffer(tensor.data, np.uint8), prod(tensor.shape))
    dtype = np.dtype(tensor.dtype)
    return np.frombuffer(tensor.data, dtype, len(tensor.data) // dtype.itemsize)
