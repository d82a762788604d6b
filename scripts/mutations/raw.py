"""Mutate the bytes of a .tflite file: truncate it, flip bits, overwrite fields."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

BOUNDARY_VALUES = (0, 1, 2, 0x7F, 0x80, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values at which lengths, offsets and numbers break."""


def damaged(data: bytes, kind: int, random: np.random.Generator) -> bytes:
    """Truncate a file (``kind`` 0), flip bits of it (1) or overwrite fields (2).

    Returns bytes that differ from ``data``.
    """
    if kind == 0:
        return data[: random.integers(8, len(data))]
    changed = np.frombuffer(data, np.uint8).copy()
    places = np.arange(len(data)) if random.random() < 1 / 2 else structure(data)
    if kind == 1:
        for place in random.choice(places, random.integers(1, 9)):
            changed[place] ^= 1 << random.integers(8)
    else:
        for place in random.choice(places, random.integers(1, 4)) // 4 * 4:
            values = (*BOUNDARY_VALUES, random.integers(1 << 32), random.integers(len(data)))
            changed[place : place + 4] = np.frombuffer(
                int(random.choice(values)).to_bytes(4, "little"), np.uint8
            )[: len(data) - place]
    mutated = changed.tobytes()
    return mutated if mutated != data else data[:-1]


def structure(data: bytes) -> NDArray[np.int64]:
    """Return the offsets of a file that hold no constant: tables, offsets, lengths, names."""
    whole = np.frombuffer(data, np.uint8)
    is_constant = np.zeros(len(data), np.bool_)
    model = schema.Model.GetRootAs(data, 0)
    for index in range(model.BuffersLength()):
        constant = model.Buffers(index).DataAsNumpy()
        if isinstance(constant, np.ndarray):
            start = constant.ctypes.data - whole.ctypes.data
            is_constant[start : start + len(constant)] = True
    return np.flatnonzero(~is_constant)
