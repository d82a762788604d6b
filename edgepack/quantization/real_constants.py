"""Constants of a quantized file, and the real values that they were quantized from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.rewrite import Rewrite, dtype

WEIGHTS = 1
BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""The index of the bias among the inputs of the operators that have weights."""


class RealValues:
    """The constants of a float .tflite file, by tensor name.

    TensorFlow's quantizer keeps the names, so the quantized file has the same.
    """

    def __init__(self, float_tflite: bytes) -> None:
        rewrite = Rewrite(float_tflite)
        self._values = {
            tensor.name: values
            for index, tensor in enumerate(rewrite.graph.tensors)
            if (values := rewrite.values(index)) is not None and values.dtype == np.float32
        }

    def of(self, rewrite: Rewrite, index: int) -> NDArray[np.float64]:
        """Return the real values of a quantized constant.

        These are the float file's, if it has a constant of the same name and shape, or else the
        dequantized ones.
        """
        tensor = rewrite.graph.tensors[index]
        original = self._values.get(tensor.name)
        if original is not None and list(original.shape) == list(tensor.shape):
            return original.astype(np.float64)
        return _dequantized(rewrite, index)


def _dequantized(rewrite: Rewrite, index: int) -> NDArray[np.float64]:
    """Compute ``scale * (q - zero_point)`` of a constant, per tensor or per channel."""
    quantization = rewrite.graph.tensors[index].quantization
    values: Any = rewrite.values(index)
    shape = _scale_shape(values.ndim, quantization)
    scale = np.asarray(quantization.scale, np.float64).reshape(shape)
    centered: NDArray[np.float64] = values - np.asarray(quantization.zeroPoint).reshape(shape)
    return centered * scale


def _scale_shape(rank: int, quantization: Any) -> tuple[int, ...]:
    """Return the shape in which scales, one or one per channel, broadcast to values of a rank."""
    count = len(quantization.scale)
    if count == 1:
        return (1,) * rank
    return tuple(count if axis == quantization.quantizedDimension else 1 for axis in range(rank))


def is_integer(rewrite: Rewrite, index: int, integer_type: str = "int8") -> bool:
    """Whether a tensor exists (index 0 or greater) and is quantized to an integer type."""
    if index < 0:
        return False
    tensor = rewrite.graph.tensors[index]
    scale = tensor.quantization and tensor.quantization.scale
    return scale is not None and len(scale) > 0 and dtype(tensor) == integer_type
