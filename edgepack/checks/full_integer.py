"""Check of float where a target demands integers."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.quantization.verify import FLOATS
from edgepack.tflite.graph import Model

_RULE = "the target demands integers throughout"
_CONVERSIONS = ("DEQUANTIZE", "QUANTIZE")


def nothing_is_left_in_float(model: Model, target: Target) -> Iterator[Finding]:
    """Where the target demands full-integer, no operator computes in float.

    Inputs and outputs of the model may be float, converted by QUANTIZE and DEQUANTIZE.
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
            cure="replace these layers by ones that TensorFlow Lite has in int8, or quantize"
            " with edgepack, which names what hinders it",
            operator=left[0].operator,
            layer=layer,
        )
    elif quantized := sorted({dtype for place in everywhere for dtype in _stored(place)}):
        yield Finding(
            message=f"weights are stored in {' and '.join(quantized)}, but the model computes in"
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
    taken = any(tensor.dtype in FLOATS for tensor in place.use.inputs if tensor)
    made = any(tensor.dtype in FLOATS for tensor in place.use.outputs)
    return (taken or made) and place.operator not in _CONVERSIONS


def _computes_in_integers(place: Place) -> bool:
    """Whether activations are quantized: what is computed has a scale."""
    return any(
        tensor.quant and tensor.dtype not in FLOATS and not tensor.is_constant
        for tensor in place.use.outputs
    )


def _stored(place: Place) -> Iterator[str]:
    """Name the types of constants that stand for real numbers, but float32."""
    for tensor in place.use.inputs:
        if tensor and tensor.is_constant:
            scaled = (tensor.quant or tensor.is_blockwise) and tensor.dtype not in FLOATS
            if scaled or tensor.dtype == "float16":
                yield tensor.dtype
