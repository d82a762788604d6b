"""Quantizing and dequantizing in integers alone: exactly what TensorFlow Lite does in float32.

A real value is an integer in units of 2^-f, ``f`` being the fraction bits. A step of the scale s
is then u = s 2^f units, and the map is a product, a rounding and a shift::

    steps = round(units / u)        value = steps + zero point
    units = round(steps * u)

TensorFlow Lite rounds the quotient and the product to the 24 bits of a float first, which lifts
what lies up to half of a last bit below a half onto that half. Of a number from 2^e to 2^(e+1),
that is 2^(e-24), and it is added before rounding. Units below 2^22 keep it below a quarter, so
that a half is always an even float, to which ties go.
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
"""Units fill so many bits at most: a float has 24, and see above."""

_MOST_BITS = 149  # float32's least number is 2^-149
_TRIES = 6  # of 6,600 random scales one needed the third
_SCALE_SHIFT = 40  # 22 bits of units before it, and room for one more


@dataclass(frozen=True, kw_only=True)
class IntegerOnly:
    """The constants of a tensor.

    ``lowest_steps`` (0 or less) and ``highest_steps`` are the ends of the range less the zero
    point, ``lowest_units`` and ``highest_units`` (both 0 or more) their distances from real 0.
    ``inverse`` over 2^``inverse_shift`` is 1 / u, rounded up; ``scale`` over 2^``scale_shift`` is
    u exactly.
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
        """Quantize, less the zero point: what the C code computes."""
        limits = np.where(units < 0, self.lowest_units, self.highest_units)
        sizes = np.minimum(np.abs(units), limits)
        return np.sign(units) * _rounded(sizes, self.inverse, self.inverse_shift)

    def units(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Dequantize what is given less the zero point: what the C code computes."""
        return np.sign(steps) * _rounded(np.abs(steps), self.scale, self.scale_shift)


def integer_only(tensor: Tensor) -> IntegerOnly:
    """Find the constants of a tensor of one scale, with the most fraction bits that are proved.

    Raises :class:`ModelError` for a scale or a zero point that no integers can stand for.
    """
    assert tensor.quant is not None  # noqa: S101 (the caller looked)
    scale, zero_point = tensor.quant.scale[0], tensor.quant.zero_point[0]
    limits = np.iinfo(tensor.dtype)
    lowest, highest = limits.min - zero_point, limits.max - zero_point
    if not lowest <= 0 <= highest:
        raise ModelError(
            f"{tensor.name!r}: zero point {zero_point} is no {tensor.dtype}; convert the model"
            " again"
        )
    farthest = max(-lowest, highest) * scale
    if not (scale > 0 and farthest <= np.finfo(np.float32).max):
        raise ModelError(
            f"{tensor.name!r}: with scale {scale:g} its values are no numbers of float32; convert"
            " the model again"
        )
    most = min(RANGE_BITS - math.frexp(farthest)[1], _MOST_BITS)
    for fraction_bits in range(most, most - _TRIES, -1):
        found = _constants(scale, fraction_bits, lowest, highest)
        if _is_exact(found, tensor, zero_point):
            return found
    raise ModelError(
        f"{tensor.name!r}: scale {scale!r} and zero point {zero_point} cannot be quantized in"
        " integers alone; convert the model with other data"
    )


def _constants(scale: float, fraction_bits: int, lowest: int, highest: int) -> IntegerOnly:
    unit = Fraction(scale) * Fraction(2) ** fraction_bits
    inverse_shift = 63 - max(-lowest, highest).bit_length()  # the product stays below 2^64
    return IntegerOnly(
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
    """Round products as the C code does; ``sizes`` are 0 or more."""
    products = sizes.astype(np.uint64) * np.uint64(factor)
    whole = (products >> np.uint64(shift)).astype(np.int64)
    # frexp gives 0 for 0, and the place above the highest bit for all else.
    top = (1 << np.frexp(whole.astype(np.float64))[1].astype(np.int64)) >> 1
    products += np.uint64(1 << (shift - 1)) + (top.astype(np.uint64) << np.uint64(shift - 24))
    return (products >> np.uint64(shift)).astype(np.int64)


def _is_exact(found: IntegerOnly, tensor: Tensor, zero_point: int) -> bool:
    """Prove the constants: whatever the units, TensorFlow Lite gives the same.

    Both quantizers are step functions that only rise, so they are the same if each step is at
    the same place: two units before the ideal place neither has risen yet, at the ideal place
    both have, and between the two they agree.
    """
    every = np.arange(found.lowest_steps, found.highest_steps + 1)
    steps = every[every != 0]
    unit = math.ldexp(tensor.quant.scale[0], found.fraction_bits) if tensor.quant else 0.0
    ideal = np.ceil((np.abs(steps) - 0.5) * unit).astype(np.int64)
    points = np.sign(steps) * np.maximum(ideal - np.array([[2], [1], [0]]), 0)
    ends = np.array([-found.lowest_units, found.highest_units])
    ours = found.steps(points)
    return bool(
        np.array_equal(ours, _their_steps(points, found, tensor, zero_point))
        and (np.abs(ours[0]) < np.abs(steps)).all()
        and (np.abs(ours[2]) >= np.abs(steps)).all()
        and np.array_equal(found.steps(ends), every[[0, -1]])
        and np.array_equal(found.units(every), _their_units(every, found, tensor, zero_point))
    )


def _their_steps(
    units: NDArray[np.int64], found: IntegerOnly, tensor: Tensor, zero_point: int
) -> NDArray[Any]:
    real = np.ldexp(units.astype(np.float32), -found.fraction_bits)
    return quantize(real, tensor).astype(np.int64) - zero_point


def _their_units(
    steps: NDArray[np.int64], found: IntegerOnly, tensor: Tensor, zero_point: int
) -> NDArray[Any]:
    real = dequantize(steps + zero_point, tensor).astype(np.float64)
    units = np.ldexp(real, found.fraction_bits)
    rounded: NDArray[Any] = np.trunc(units + np.copysign(0.5, units)).astype(np.int64)
    return rounded
