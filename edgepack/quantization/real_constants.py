"""Constants of a quantized file, and the real values that they were made from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.rewrite import Rewrite, dtype

WEIGHTS = 1
BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""The place of the bias among the inputs of the operators that have weights."""


class RealValues:
    """The constants of a float .tflite file, by the names of their tensors.

    TensorFlow's quantizer keeps the names, so they are those of the quantized file too.
    """

    def __init__(self, float_tflite: bytes) -> None:
        rewrite = Rewrite(float_tflite)
        self._values = {
            tensor.name: values
            for index, tensor in enumerate(rewrite.graph.tensors)
            if (values := rewrite.values(index)) is not None and values.dtype == np.float32
        }

    def of(self, rewrite: Rewrite, index: int) -> NDArray[np.float64]:
        """Give what a quantized constant stands for: as it was in float, if it has its name."""
        tensor = rewrite.graph.tensors[index]
        known = self._values.get(tensor.name)
        if known is not None and list(known.shape) == list(tensor.shape):
            return known.astype(np.float64)
        return _dequantized(rewrite, index)


def _dequantized(rewrite: Rewrite, index: int) -> NDArray[np.float64]:
    """Compute ``scale * (q - zero_point)`` of a constant, per tensor or along its axis."""
    quantization = rewrite.graph.tensors[index].quantization
    values: Any = rewrite.values(index)
    shape = _along(values.ndim, quantization)
    scale = np.asarray(quantization.scale, np.float64).reshape(shape)
    centred: NDArray[np.float64] = values - np.asarray(quantization.zeroPoint).reshape(shape)
    return centred * scale


def _along(rank: int, quantization: Any) -> tuple[int, ...]:
    """Give the shape in which scales, one or one for each slice, go with values of a rank."""
    count = len(quantization.scale)
    if count == 1:
        return (1,) * rank
    return tuple(count if axis == quantization.quantizedDimension else 1 for axis in range(rank))


def is_integer(rewrite: Rewrite, index: int, wanted: str = "int8") -> bool:
    """Whether a tensor, if there is one, is quantized to integers of a type."""
    if index < 0:
        return False
    tensor = rewrite.graph.tensors[index]
    scale = tensor.quantization and tensor.quantization.scale
    return scale is not None and len(scale) > 0 and dtype(tensor) == wanted
