"""k-bit fixed point, simulated: float weights take no more than 2^k values a tensor.

``scale = (max - min) / (2^k - 1)``, ``q = round((w - min) / scale)``, ``w' = q scale + min``. The
model stays a float model: this tells how many bits its weights need, whatever has kernels for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.config.quantization import STOCHASTIC
from edgepack.tflite.parser import buffer, read_tflite
from edgepack.tflite.sparsity import weight_tensors


def simulate(
    weights: NDArray[Any], bits: int, *, random: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """Round weights to 2^bits values at equal distances from their least to their largest.

    To the nearest; or, given ``random``, up with a probability equal to the fraction, so that the
    expected value is the weight itself.

    >>> simulate(np.array([0.0, 0.4, 0.6, 3.0]), 2).tolist()
    [0.0, 0.0, 1.0, 3.0]
    """
    exact = weights.astype(np.float64)
    least, levels = exact.min(), 2**bits - 1
    scale = (exact.max() - least) / levels
    if scale == 0:
        return weights.astype(np.float32)
    shift = 0.5 if random is None else random.random(exact.shape)
    numbers = np.minimum(np.floor((exact - least) / scale + shift), levels)
    rounded: NDArray[np.float32] = (numbers * scale + least).astype(np.float32)
    return rounded


def fixed_point(float_tflite: bytes, bits: int, rounding: str, seed: int) -> bytes:
    """Simulate the weights of a float .tflite in so many bits, tensor by tensor; biases stay.

    Stochastic rounding draws from ``seed`` and the tensor's place among the weights.
    """
    data = bytearray(float_tflite)
    tensors = {
        w.tensor.buffer: w.tensor for w in weight_tensors(read_tflite(float_tflite)).values()
    }
    for place, (number, tensor) in enumerate(tensors.items()):
        if tensor.dtype == "float32":
            random = np.random.default_rng((seed, place)) if rounding == STOCHASTIC else None
            values = buffer(data, number).view(np.float32)
            values[:] = simulate(values, bits, random=random)
    return bytes(data)
