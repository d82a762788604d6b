"""Ranges that a quantized file represents, compared with the calibrated ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgepack.calibration.activations.ranges import Range
from edgepack.calibration.activations.shared_scale import clipped_activations, sharing_groups
from edgepack.core.wording import WARNING
from edgepack.quantization.affine import real_range
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.layer_names import layer_names

FIXED_RANGE = frozenset({"L2_NORMALIZATION", "LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH"})
"""Operators whose output range is fixed by TensorFlow Lite."""

_TOLERANCE = 0.01  # of a scale: rounding the zero point stretches a range by half a step


@dataclass(frozen=True, kw_only=True)
class RepresentedRange:
    """The range of an activation in the quantized file, with the ``layer`` that outputs it.

    ``asked`` is its calibrated range, ``represented`` the one that its integers can represent, both
    in the unit of the activation. ``fixed_by`` names an operator with a fixed scale, such as
    SOFTMAX, or the MINIMUM or MAXIMUM that clips the activation, and is None where the calibrated
    range was used.
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
    clipped = clipped_activations(model.main)
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
            fixed_by=None
            if is_calibrated
            else clipped.get(index) or producers.get(index, "the quantizer"),
        )
    return represented


def cut_ranges(model: Model, ranges: Mapping[str, Range]) -> list[RepresentedRange]:
    """Return the ranges that end more than a step inside the calibrated ones, though none had to.

    Those that an operator fixes, or that only a MINIMUM or MAXIMUM reads, are left out. Whatever is
    returned is a defect of the quantizer, or a rule of its that ``shared_scale`` lacks.
    """
    graph = model.main
    fixed = {index for op in graph.operators if op.name in FIXED_RANGE for index in op.outputs}
    fixed = fixed.union(*(group for group in sharing_groups(graph) if group & fixed))
    had_to = {graph.tensors[index].name for index in fixed | {*clipped_activations(graph)}}
    return [
        each
        for name, each in represented_ranges(model, ranges).items()
        if name not in had_to
        and max(each.represented.min - each.asked.min, each.asked.max - each.represented.max)
        > each.scale
    ]


def cut_range_notes(model: Model, ranges: Mapping[str, Range]) -> list[str]:
    """Return a warning about each range of :func:`cut_ranges`."""
    return [
        f"{WARNING}TensorFlow's quantizer cuts the values of {each.layer}: they range from"
        f" {each.asked.min:.4g} to {each.asked.max:.4g}, and it represents"
        f" {each.represented.min:.4g} to {each.represented.max:.4g}"
        for each in cut_ranges(model, ranges)
    ]


def _scale(tensor: Tensor, calibrated: Range) -> float:
    """Compute the scale for a range: int16 is symmetric, other types are not."""
    limits = np.iinfo(tensor.dtype)
    if tensor.dtype == "int16":
        return max(-calibrated.min, calibrated.max) / limits.max
    return (calibrated.max - calibrated.min) / (limits.max - limits.min)
