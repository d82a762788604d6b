"""Integer-only quantization and dequantization, equal to TensorFlow Lite's in float32.

A real value is represented as an integer number of units of 2^-f, where ``f`` is the number of
fraction bits. One quantization step (the scale s) is then u = s * 2^f units, and each conversion is
a multiplication, a rounding and a shift::

    steps = round(units / u)        value = steps + zero point
    units = round(steps * u)

TensorFlow Lite first rounds the quotient and the product to the 24 bits of a float. This lifts a
result that lies up to half a last bit below a half onto that half. For a number from 2^e to
2^(e+1), half a last bit is 2^(e-24); it is added before rounding. With units below 2^22 it stays
below a quarter, so that a half is always an even float, to which ties are rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.quantization.affine import dequantize, quantize
from edgepack.tflite.graph import Tensor

RANGE_BITS = 22
"""Most bits that a number of units takes: a float has 24, and see the module's docstring."""

_MAX_FRACTION_BITS = 149  # the smallest positive float32 is 2^-149
_TRIES = 6  # of 6,600 random scales, one needed the third try
_SCALE_SHIFT = 40  # leaves room for the 22 bits of units, and one more


@dataclass(frozen=True, kw_only=True)
class IntegerConstants:
    """The constants of a tensor's integer-only conversions.

    ``lowest_steps`` (0 or less) and ``highest_steps`` are the limits of the integer type minus the
    zero point; ``lowest_units`` and ``highest_units`` (both 0 or greater) are their distances from
    real 0. ``inverse`` / 2^``inverse_shift`` is 1 / u, rounded up; ``scale`` / 2^``scale_shift`` is
    exactly u.
    """

    fraction_bits: int
    lowest_steps: int
    highest_steps: int
    lowest_units: int
    highest_units: int
    inverse: int
    inverse_shift: int
    scale: int
    scale_shift: int = _SCALE_SHIFT

    def steps(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Quantize as the C code does; the result is without the zero point."""
        limits = np.where(units < 0, self.lowest_units, self.highest_units)
        sizes = np.minimum(np.abs(units), limits)
        return np.sign(units) * _rounded(sizes, self.inverse, self.inverse_shift)

    def units(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Dequantize as the C code does; ``steps`` are without the zero point."""
        return np.sign(steps) * _rounded(np.abs(steps), self.scale, self.scale_shift)


def integer_constants(tensor: Tensor) -> IntegerConstants:
    """Return the constants of a tensor with one scale, with as many fraction bits as can be proved.

    Raises :class:`ModelError` for a scale or a zero point that is invalid, or for which no
    constants are exact.
    """
    assert tensor.quant is not None  # noqa: S101 (checked by the caller)
    scale, zero_point = tensor.quant.scale[0], tensor.quant.zero_point[0]
    limits = np.iinfo(tensor.dtype)
    lowest, highest = limits.min - zero_point, limits.max - zero_point
    if not lowest <= 0 <= highest:
        raise ModelError(
            f"{tensor.name!r}: zero point {zero_point} is out of range for {tensor.dtype}; convert"
            " the model again"
        )
    farthest = max(-lowest, highest) * scale
    if not (scale > 0 and farthest <= float(np.finfo(np.float32).max)):
        raise ModelError(
            f"{tensor.name!r}: with scale {scale:g} its values do not fit into float32; convert the"
            " model again"
        )
    highest_bits = min(RANGE_BITS - math.frexp(farthest)[1], _MAX_FRACTION_BITS)
    for fraction_bits in range(highest_bits, highest_bits - _TRIES, -1):
        constants = _constants(scale, fraction_bits, lowest, highest)
        if _is_exact(constants, tensor, zero_point):
            return constants
    raise ModelError(
        f"{tensor.name!r}: values of scale {scale!r} and zero point {zero_point} cannot be"
        " quantized with integer arithmetic alone; convert the model with other data"
    )


def _constants(scale: float, fraction_bits: int, lowest: int, highest: int) -> IntegerConstants:
    unit = Fraction(scale) * Fraction(2) ** fraction_bits
    inverse_shift = 63 - max(-lowest, highest).bit_length()  # the product stays below 2^64
    return IntegerConstants(
        fraction_bits=fraction_bits,
        lowest_steps=lowest,
        highest_steps=highest,
        lowest_units=math.ceil(-lowest * unit),
        highest_units=math.ceil(highest * unit),
        inverse=math.ceil(2**inverse_shift / unit),
        inverse_shift=inverse_shift,
        scale=math.floor(unit * 2**_SCALE_SHIFT),
    )


def _rounded(sizes: NDArray[np.int64], factor: int, shift: int) -> NDArray[np.int64]:
    """Return ``sizes * factor / 2^shift``, rounded as in the C code; ``sizes`` are 0 or greater."""
    products = sizes.astype(np.uint64) * np.uint64(factor)
    whole = (products >> np.uint64(shift)).astype(np.int64)
    # frexp returns exponent 0 for 0, and otherwise the position above the highest bit.
    top = (1 << np.frexp(whole.astype(np.float64))[1].astype(np.int64)) >> 1
    products += np.uint64(1 << (shift - 1)) + (top.astype(np.uint64) << np.uint64(shift - 24))
    return (products >> np.uint64(shift)).astype(np.int64)


def _is_exact(constants: IntegerConstants, tensor: Tensor, zero_point: int) -> bool:
    """Prove that the constants give the same results as TensorFlow Lite for any number of units.

    Both quantizers are monotonic step functions, so they are equal if all their thresholds are:
    two units before the ideal threshold neither has stepped yet, at the ideal threshold both have,
    and at the point between they agree.
    """
    every = np.arange(constants.lowest_steps, constants.highest_steps + 1)
    steps = every[every != 0]
    unit = math.ldexp(tensor.quant.scale[0], constants.fraction_bits) if tensor.quant else 0.0
    thresholds = np.ceil((np.abs(steps) - 0.5) * unit).astype(np.int64)
    points = np.sign(steps) * np.maximum(thresholds - np.array([[2], [1], [0]]), 0)
    limits = np.array([-constants.lowest_units, constants.highest_units])
    at_points = constants.steps(points)
    return bool(
        np.array_equal(at_points, _tflite_steps(points, constants, tensor, zero_point))
        and (np.abs(at_points[0]) < np.abs(steps)).all()
        and (np.abs(at_points[2]) >= np.abs(steps)).all()
        and np.array_equal(constants.steps(limits), every[[0, -1]])
        and np.array_equal(
            constants.units(every), _tflite_units(every, constants, tensor, zero_point)
        )
    )


def _tflite_steps(
    units: NDArray[np.int64], constants: IntegerConstants, tensor: Tensor, zero_point: int
) -> NDArray[Any]:
    """Quantize in float32, as TensorFlow Lite does; the result is without the zero point."""
    real = np.ldexp(units.astype(np.float32), -constants.fraction_bits)
    return quantize(real, tensor).astype(np.int64) - zero_point


def _tflite_units(
    steps: NDArray[np.int64], constants: IntegerConstants, tensor: Tensor, zero_point: int
) -> NDArray[Any]:
    """Dequantize in float32, as TensorFlow Lite does, and round to units."""
    real = dequantize(steps + zero_point, tensor).astype(np.float64)
    units = np.ldexp(real, constants.fraction_bits)
    rounded: NDArray[Any] = np.trunc(units + np.copysign(0.5, units)).astype(np.int64)
    return rounded
