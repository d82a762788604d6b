"""Affine quantization between real values and integers: ``real = scale * (q - zero_point)``.

Computed as in TFLite's QUANTIZE and DEQUANTIZE (tensorflow/lite/kernels/internal/reference,
``quantize.h`` and ``dequantize.h``): in float32, rounding halves away from zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.graph import Tensor

_INT4 = (-(2**3), 2**3 - 1)


def quantize(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Quantize real values to the integer type of a per-tensor quantized tensor, saturating.

    NaN becomes the zero point, which represents 0.0; TensorFlow Lite leaves its result undefined.
    For a tensor that is not quantized, such as token ids, values are only cast to its type. Raises
    ValueError for a tensor with more than one scale.

    >>> from edgepack.tflite.graph import QuantParams
    >>> half = QuantParams(scale=(0.5,), zero_point=(1,))
    >>> int8 = Tensor(name="x", shape=(1,), dtype="int8", quant=half, data=b"")
    >>> quantize(np.array([0.0, 0.25, -0.25, 1000.0]), int8)
    array([  1,   2,   0, 127], dtype=int8)
    """
    if tensor.quant is None:
        return values.astype(tensor.dtype)
    scale, zero_point = _per_tensor(tensor)
    # Infinity saturates like any large value; a signalling NaN is treated as NaN.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values.astype(np.float32) / scale).astype(np.float64)
    scaled = np.where(np.isnan(scaled), 0.0, scaled)
    rounded = np.trunc(scaled + np.copysign(0.5, scaled)) + zero_point
    limits = np.iinfo(tensor.dtype)
    integers: NDArray[Any] = np.clip(rounded, limits.min, limits.max).astype(tensor.dtype)
    return integers


def dequantize(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float32]:
    """Dequantize the integers of a per-tensor quantized tensor to float32.

    Values of a tensor that is not quantized, such as class indices, are only cast to float32.
    Raises ValueError for a tensor with more than one scale.
    """
    if tensor.quant is None:
        return values.astype(np.float32)
    scale, zero_point = _per_tensor(tensor)
    return ((values.astype(np.int32) - zero_point).astype(np.float32) * scale).astype(np.float32)


def real_range(tensor: Tensor) -> tuple[float, float]:
    """Return the minimum and maximum real value that a per-tensor quantized tensor can represent.

    >>> from edgepack.tflite.graph import QuantParams
    >>> half = QuantParams(scale=(0.5,), zero_point=(1,))
    >>> real_range(Tensor(name="x", shape=(1,), dtype="int8", quant=half, data=b""))
    (-64.5, 63.0)
    """
    assert tensor.quant is not None  # noqa: S101 (the caller checked)
    (scale,), (zero_point,) = tensor.quant.scale, tensor.quant.zero_point
    lower, upper = _INT4 if tensor.dtype == "int4" else _limits(tensor.dtype)
    return scale * (lower - zero_point), scale * (upper - zero_point)


def _limits(dtype: str) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _per_tensor(tensor: Tensor) -> tuple[np.float32, int]:
    if tensor.quant is None or len(tensor.quant.scale) != 1:
        raise ValueError(f"{tensor.name} is not quantized per tensor")
    return np.float32(tensor.quant.scale[0]), tensor.quant.zero_point[0]
