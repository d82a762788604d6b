"""What became of the ranges that were asked for: scales, read back from the quantized file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgepack.calibration.activations.ranges import Range
from edgepack.quantization.affine import real_range
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.layer_names import layer_names

_SAME = 0.01  # of a scale: the zero point's rounding stretches a range by half a step


@dataclass(frozen=True, kw_only=True)
class RepresentedRange:
    """An activation of the quantized file, by the ``layer`` that makes it.

    ``asked`` is its range before, ``represented`` what its integers stand for, in the unit of the
    activation. ``fixed_by`` names the operator that has a scale of its own, such as SOFTMAX, and
    is None where the range asked for was taken.
    """

    layer: str
    asked: Range
    represented: Range
    dtype: str
    scale: float
    zero_point: int
    fixed_by: str | None


def represented_ranges(model: Model, ranges: Mapping[str, Range]) -> dict[str, RepresentedRange]:
    """Read back the scales of a quantized .tflite, by the activations' names.

    Activations that are not quantized, or are not in the file any more, are left out.
    """
    makers = {index: op.name for op in model.main.operators for index in op.outputs}
    names = layer_names(model.main)
    found = {}
    for index, tensor in enumerate(model.main.tensors):
        asked = ranges.get(tensor.name)
        if asked is None or tensor.quant is None or len(tensor.quant.scale) != 1:
            continue
        (scale,), (zero_point,) = tensor.quant.scale, tensor.quant.zero_point
        least, most = real_range(tensor)
        taken = abs(scale - _scale(tensor, asked)) <= _SAME * scale
        found[tensor.name] = RepresentedRange(
            layer=names.get(index, tensor.name),
            asked=asked,
            represented=Range(min=least, max=most),
            dtype=tensor.dtype,
            scale=scale,
            zero_point=zero_point,
            fixed_by=None if taken else makers.get(index, "the quantizer"),
        )
    return found


def _scale(tensor: Tensor, asked: Range) -> float:
    """Compute the scale that a range asks for: int16 is symmetric, the others are not."""
    limits = np.iinfo(tensor.dtype)
    if tensor.dtype == "int16":
        return max(-asked.min, asked.max) / limits.max
    return (asked.max - asked.min) / (limits.max - limits.min)
