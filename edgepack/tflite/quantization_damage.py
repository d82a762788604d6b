"""Detect damage in the quantization of a tensor: its scales, zero points and axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.flatbuffer_tables import FlatBufferTable, Violation
from edgepack.tflite.nibbles import unpack

_ZERO_POINTS = {"INT8": (-(2**7), 2**7 - 1), "UINT8": (0, 2**8 - 1), "INT16": (-(2**15), 2**15 - 1)}
_DTYPES = {"INT8": "i1", "UINT8": "u1", "INT16": "i2", "INT32": "i4", "INT64": "i8"}
_QUANTIZED = {*_DTYPES, "INT4", "INT2"}

_SMALLEST_NORMAL = np.finfo(np.float32).tiny
_SCALES_OF_ZEROS = [_SMALLEST_NORMAL / np.float32(steps) for steps in (2**8 - 1, 2**15 - 1)]
"""The scales that TensorFlow's converter writes for an activation that was always 0."""


@dataclass(frozen=True)
class Quantized:
    """The properties of a tensor that its quantization must match.

    ``kind`` is the schema's name of its type (``INT8``). ``values`` are the bytes of a constant;
    None for a computed tensor, and for a constant that is sparse or outside the FlatBuffer.
    """

    name: str
    kind: str
    shape: Sequence[int]
    is_constant: bool
    values: NDArray[np.uint8] | None


def require_quantization(tensor: Quantized, table: FlatBufferTable | None) -> None:
    """Check a quantization against its tensor, as TensorFlow Lite does when it loads a file.

    A tensor of one scale, and a constant of one dimension, may have an axis that does not exist, as
    biases of 2020 do: TensorFlow Lite Micro ignores it. Raises
    :class:`~edgepack.tflite.flatbuffer_tables.Violation`.
    """
    if table is None:
        return
    table.require_inside()
    for field in (0, 1):  # the ranges that a calibrator recorded
        table.numbers(field, "f4")
    scales, zero_points = table.numbers(2, "f4"), table.numbers(3, "i8")
    if not len(scales) or tensor.kind not in _QUANTIZED or table.number(4, "u1"):
        return
    name, shape, axis = tensor.name, tensor.shape, table.number(6, "i4")
    if len(scales) == 1 or (tensor.is_constant and len(shape) == 1):
        axis = 0
    if len(zero_points) != len(scales):
        raise Violation(f"{name} has {len(scales)} scales and {len(zero_points)} zero points")
    if shape and not 0 <= axis < len(shape):
        raise Violation(f"{name} is quantized along an axis that it does not have")
    channels = shape[axis] if shape else 1
    if len(scales) not in (1, channels):
        raise Violation(f"{name} has {len(scales)} scales for {channels} channels")
    low, high = _ZERO_POINTS.get(tensor.kind, (-np.inf, np.inf))
    if not low <= zero_points.min() <= zero_points.max() <= high:
        raise Violation(f"{name} has a zero point outside {tensor.kind.lower()}")
    if not _are_valid(scales, zero_points, tensor, axis):
        raise Violation(f"{name} has scales that are not positive normal numbers")


def _are_valid(
    scales: NDArray[np.float32], zero_points: NDArray[np.int64], tensor: Quantized, axis: int
) -> bool:
    """Whether scales are valid divisors, except where all values are zero.

    TensorFlow's converter writes 0, or a number close to it, for a channel that contains only
    zeros, and :data:`_SCALES_OF_ZEROS`.
    """
    is_valid = np.isfinite(scales) & (scales >= _SMALLEST_NORMAL)
    if is_valid.all():
        return True
    if tensor.is_constant:
        is_small = (scales >= 0) & (scales < _SMALLEST_NORMAL)
        is_valid |= is_small & _is_zero(tensor, axis, zero_points)
    else:
        is_valid |= np.isin(scales, _SCALES_OF_ZEROS)
    return bool(is_valid.all())


def _is_zero(tensor: Quantized, axis: int, zero_points: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each scale of a constant whether all values that it scales represent 0."""
    values, count = tensor.values, len(zero_points)
    if values is None:
        return np.zeros(count, np.bool_)
    if tensor.kind == "INT2":
        return np.full(count, not values.any() and not zero_points.any())
    numbers: NDArray[Any] = (
        unpack(values, prod(tensor.shape))
        if tensor.kind == "INT4"
        else values.view(_DTYPES[tensor.kind])
    )
    if count > 1:
        numbers = np.moveaxis(numbers.reshape(tensor.shape), axis, 0)
    is_zero: NDArray[np.bool_] = (numbers.reshape(count, -1) == zero_points[:, None]).all(axis=1)
    return is_zero
