"""The constants of a file, as it stores them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.graph import Tensor
from edgepack.tflite.nibbles import unpack


def stored_values(tensor: Tensor) -> NDArray[Any]:
    r"""Read the numbers of a constant, (values,), which of a sparse one may be any number of bytes.

    Those of 4 bits are given as int8.

    >>> stored_values(Tensor(name="x", shape=(3,), dtype="int4", quant=None, data=b"\xf1\x07"))
    array([ 1, -1,  7], dtype=int8)
    """
    if tensor.dtype == "int4":
        return unpack(np.frombuffer(tensor.data, np.uint8), prod(tensor.shape))
    dtype = np.dtype(tensor.dtype)
    return np.frombuffer(tensor.data, dtype, len(tensor.data) // dtype.itemsize)
