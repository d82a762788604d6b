"""RELU6 whose input and output scales are equal, which TensorFlow Lite Micro requires."""

from __future__ import annotations

from typing import Any

from edgepack.quantization.int16 import VERSIONS
from edgepack.quantization.real_constants import is_integer
from edgepack.tflite.rewrite import Rewrite, dtype


def rescale_before_relu6(quantized_tflite: bytes) -> bytes:
    """Insert a QUANTIZE before each integer RELU6 whose input and output scales differ.

    TensorFlow Lite Micro's RELU6 clips without rescaling, and computes such an operator wrongly. A
    QUANTIZE rescales as the RELU6 of other interpreters does, so nothing is lost on these.
    """
    rewrite = Rewrite(quantized_tflite)
    operators, rewrite.graph.operators = rewrite.graph.operators, []
    for operator in operators:
        if rewrite.name(operator) == "RELU6" and _is_rescaling(rewrite, operator):
            operator.inputs = [_rescale(rewrite, operator)]
        rewrite.graph.operators.append(operator)
    if len(rewrite.graph.operators) == len(operators):
        return quantized_tflite
    return rewrite.to_bytes()


def _is_rescaling(rewrite: Rewrite, operator: Any) -> bool:
    before, after = (
        rewrite.graph.tensors[index] for index in (operator.inputs[0], operator.outputs[0])
    )
    if not is_integer(rewrite, operator.inputs[0], dtype(after)):
        return False
    return [*before.quantization.scale, *before.quantization.zeroPoint] != [
        *after.quantization.scale,
        *after.quantization.zeroPoint,
    ]


def _rescale(rewrite: Rewrite, operator: Any) -> int:
    """Add a QUANTIZE to the scale of an operator's output; returns the index of its output."""
    after = rewrite.graph.tensors[operator.outputs[0]]
    rescaled = rewrite.add_tensor(
        f"{after.name.decode()}_rescaled",
        after.shape,
        dtype(after),
        quantization=after.quantization,
    )
    rewrite.graph.operators.append(
        rewrite.operator("QUANTIZE", VERSIONS["QUANTIZE"], [int(operator.inputs[0])], [rescaled])
    )
    return rescaled
