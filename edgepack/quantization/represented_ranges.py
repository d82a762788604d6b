"""Ranges that a quantized file represents, compared with the calibrated ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgepack.calibration.activations.ranges import Range
from edgepack.quantization.affine import real_range
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.layer_names import layer_names

_TOLERANCE = 0.01  # of a scale: rounding the zero point stretches a range by half a step


@dataclass(frozen=True, kw_only=True)
class RepresentedRange:
    """The range of an activation in the quantized file, with the ``layer`` that outputs it.

    ``asked`` is its calibrated range, ``represented`` the one that its integers can represent, both
    in the unit of the activation. ``fixed_by`` names an operator with a fixed scale, such as
    SOFTMAX, and is None where the calibrated range was used.
    """

    layer: str
    asked: Range
    represented: Range
    dtype: str
    scale: float
    zero_point: int
    fixed_by: str | None


def represented_ranges(model: Model, ranges: Mapping[str, Range]) -> dict[str, RepresentedRange]:
    """Return the ranges that a quantized .tflite represents, by the activations' names.

    ``ranges`` are the calibrated ones. Activations that are not quantized per tensor, or are no
    longer in the file, are left out.
    """
    producers = {index: op.name for op in model.main.operators for index in op.outputs}
    names = layer_names(model.main)
    represented = {}
    for index, tensor in enumerate(model.main.tensors):
        calibrated = ranges.get(tensor.name)
        if calibrated is None or tensor.quant is None or len(tensor.quant.scale) != 1:
            continue
        (scale,), (zero_point,) = tensor.quant.scale, tensor.quant.zero_point
        lower, upper = real_range(tensor)
        is_calibrated = abs(scale - _scale(tensor, calibrated)) <= _TOLERANCE * scale
        represented[tensor.name] = RepresentedRange(
            layer=names.get(index, tensor.name),
            asked=calibrated,
            represented=Range(min=lower, max=upper),
            dtype=tensor.dtype,
            scale=scale,
            zero_point=zero_point,
            fixed_by=None if is_calibrated else producers.get(index, "the quantizer"),
        )
    return represented


def _scale(tensor: Tensor, calibrated: Range) -> float:
    """Compute the scale for a range: int16 is symmetric, other types are not."""
    limits = np.iinfo(tensor.dtype)
    if tensor.dtype == "int16":
        return max(-calibrated.min, calibrated.max) / limits.max
    return (calibrated.max - calibrated.min) / (limits.max - limits.min)
