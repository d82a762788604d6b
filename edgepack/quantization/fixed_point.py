"""Simulated k-bit fixed point: float weights are rounded to at most 2^k values per tensor.

``scale = (max - min) / (2^k - 1)``, ``q = round((w - min) / scale)``, ``w' = q scale + min``. The
model stays a float model: this shows how many bits its weights need, whether or not an interpreter
has kernels for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.config.study import STOCHASTIC
from edgepack.tflite.parser import buffer, read_tflite
from edgepack.tflite.sparsity import weight_tensors


def simulate(
    weights: NDArray[Any], bits: int, *, random: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """Round weights to 2^bits equally spaced values from their minimum to their maximum.

    Rounds to the nearest; with ``random``, up with a probability equal to the fraction, so that the
    expected value is the weight itself.

    >>> simulate(np.array([0.0, 0.4, 0.6, 3.0]), 2).tolist()
    [0.0, 0.0, 1.0, 3.0]
    """
    exact = weights.astype(np.float64)
    lowest, steps = exact.min(), 2**bits - 1
    scale = (exact.max() - lowest) / steps
    if scale == 0:
        return weights.astype(np.float32)
    shift = 0.5 if random is None else random.random(exact.shape)
    integers = np.minimum(np.floor((exact - lowest) / scale + shift), steps)
    rounded: NDArray[np.float32] = (integers * scale + lowest).astype(np.float32)
    return rounded


def round_weights(float_tflite: bytes, bits: int, rounding: str, seed: int) -> bytes:
    """Round the weights of a float .tflite to ``bits`` bits, per tensor; biases are unchanged.

    ``rounding`` is ``nearest`` or ``stochastic``; random numbers are seeded by ``seed`` and the
    index of the tensor among the weights.
    """
    data = bytearray(float_tflite)
    tensors = {
        w.tensor.buffer: w.tensor for w in weight_tensors(read_tflite(float_tflite)).values()
    }
    for index, (buffer_index, tensor) in enumerate(tensors.items()):
        if tensor.dtype == "float32":
            random = np.random.default_rng((seed, index)) if rounding == STOCHASTIC else None
            values = buffer(data, buffer_index).view(np.float32)
            values[:] = simulate(values, bits, random=random)
    return bytes(data)
