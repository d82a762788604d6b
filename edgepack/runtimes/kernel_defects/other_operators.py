"""Defects that belong to no family: int8 next to int16, old biases, operators only TFLM has."""

from __future__ import annotations

from edgepack.runtimes.kernel_defects.defect import MIXED, Defect, Lack
from edgepack.runtimes.kernel_defects.operator_conditions import (
    PHONES,
    QUANTIZE_TO_INT8,
    REFERENCE_KERNELS,
    has_input_dtype,
)
from edgepack.tflite.operator_calls import OperatorCall


def _has_invalid_axis(call: OperatorCall) -> bool:
    return any(
        tensor.quant.axis is not None and tensor.quant.axis >= len(tensor.shape) > 0
        for tensor in call.inputs
        if tensor and tensor.quant
    )


DEFECTS = (
    Defect(
        what="an int8 input and an int16 output",
        cure="keep the whole model in one of the two",
        operators=("QUANTIZE",),
        condition=lambda call: (call.dtype(), call.output_dtype) == ("int8", "int16"),
        refused={"litert": "2.1.4", "tflite-runtime": None} | REFERENCE_KERNELS,
        lack=Lack(MIXED, "its QUANTIZE does not convert int8 to int16"),
    ),
    # As TensorFlow's converter of 2020 wrote them.
    Defect(
        what="a bias that is quantized along an axis that it does not have",
        cure="convert the model with a newer TensorFlow",
        condition=_has_invalid_axis,
        refused=PHONES,
    ),
    # TFLM alone has kernels for these.
    Defect(
        what="int8",
        cure="compute it in float, between DEQUANTIZE and QUANTIZE",
        operators=("ADD_N", "CUMSUM", "ZEROS_LIKE"),
        condition=has_input_dtype("int8"),
        refused=PHONES,
    ),
    Defect(
        what="int16",
        cure=QUANTIZE_TO_INT8,
        operators=("SQUARED_DIFFERENCE",),
        condition=has_input_dtype("int16"),
        refused=PHONES,
    ),
)
