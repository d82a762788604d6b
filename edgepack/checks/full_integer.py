"""Check that nothing computes in float where a target requires integers."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.quantization.verify import FLOATS
from edgepack.tflite.graph import Model

_RULE = "the target requires integers throughout"
_CONVERSIONS = ("DEQUANTIZE", "QUANTIZE")


def nothing_is_left_in_float(model: Model, target: Target) -> Iterator[Finding]:
    """If the target requires full-integer models, no operator computes in float.

    The model's inputs and outputs may be float, converted by QUANTIZE and DEQUANTIZE.
    """
    everywhere = list(places(model))
    left = [place for place in everywhere if _computes_in_float(place)]
    if not left:
        return
    layer = listed(place.layer for place in left)
    if any(_computes_in_integers(place) for place in everywhere):
        kinds = listed(place.operator for place in left)
        yield Finding(
            message=f"{kinds} {'computes' if len(left) == 1 else 'compute'} in float,"
            f" {len(left)} of {len(everywhere)} operators;"
            f" {_RULE}",
            cure="leave --layer NAME=float out if they were left in float on purpose; else replace"
            " them with layers that TensorFlow Lite supports in int8",
            operator=left[0].operator,
            layer=layer,
        )
    elif stored := sorted({dtype for place in everywhere for dtype in _stored_dtypes(place)}):
        yield Finding(
            message=f"weights are stored in {' and '.join(stored)}, but the model computes in"
            f" float; {_RULE}",
            cure="quantize activations too: edgepack quantize --scheme int8, with a representative"
            " dataset",
            operator=left[0].operator,
            layer=layer,
        )
    else:
        yield Finding(
            message=f"the model is not quantized: it computes in float; {_RULE}",
            cure="quantize it: edgepack export, or edgepack quantize --scheme int8",
            operator=left[0].operator,
            layer=layer,
        )


def _computes_in_float(place: Place) -> bool:
    has_float_input = any(tensor.dtype in FLOATS for tensor in place.call.inputs if tensor)
    has_float_output = any(tensor.dtype in FLOATS for tensor in place.call.outputs)
    return (has_float_input or has_float_output) and place.operator not in _CONVERSIONS


def _computes_in_integers(place: Place) -> bool:
    """Whether an operator's activations are quantized: a computed output has a scale."""
    return any(
        tensor.quant and tensor.dtype not in FLOATS and not tensor.is_constant
        for tensor in place.call.outputs
    )


def _stored_dtypes(place: Place) -> Iterator[str]:
    """Yield the dtypes other than float32 of constants that represent real numbers."""
    for tensor in place.call.inputs:
        if tensor and tensor.is_constant:
            is_scaled = (tensor.quant or tensor.is_blockwise) and tensor.dtype not in FLOATS
            if is_scaled or tensor.dtype == "float16":
                yield tensor.dtype
