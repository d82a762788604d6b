"""Defects of int16 activations."""

from __future__ import annotations

from edgepack.runtimes.kernel_defects.defect import Defect
from edgepack.runtimes.kernel_defects.operator_conditions import (
    CONVOLUTIONS,
    PHONES,
    QUANTIZE_TO_INT8,
    has_input_dtype,
)
from edgepack.tflite.operator_calls import OperatorCall

_INT32 = 2  # in TensorType, which the option quantized_bias_type uses
_INT16_BY_EDGEPACK = "quantize with edgepack quantize --scheme int16"
_ZERO_POINT = "int16 tensors with a zero point other than 0"
_INT32_BIAS = "int16 activations and an int32 bias"


def _is_asymmetric(call: OperatorCall) -> bool:
    tensors = [*(tensor for tensor in call.inputs if tensor), *call.outputs]
    return any(
        tensor.dtype == "int16" and tensor.quant and any(tensor.quant.zero_point)
        for tensor in tensors
    )


def _has_int32_bias(call: OperatorCall) -> bool:
    return (call.dtype(), call.dtype(2)) == ("int16", "int32")


DEFECTS = (
    Defect(
        what="int16 activations",
        cure=QUANTIZE_TO_INT8,
        operators=("FULLY_CONNECTED",),
        condition=has_input_dtype("int16"),
        wrong={"tflite-runtime": "2.9.1"},
    ),
    Defect(
        what=_ZERO_POINT,
        cure=_INT16_BY_EDGEPACK,
        operators=CONVOLUTIONS,
        condition=_is_asymmetric,
        wrong={"tflm": None},
        refused=PHONES,
    ),
    Defect(
        what=_ZERO_POINT,
        cure=_INT16_BY_EDGEPACK,
        operators=("ADD", "DEQUANTIZE", "FULLY_CONNECTED", "MEAN"),
        condition=_is_asymmetric,
        refused=PHONES,
    ),
    Defect(
        what=_ZERO_POINT,
        cure=_INT16_BY_EDGEPACK,
        operators=("LOGISTIC", "MUL"),
        condition=_is_asymmetric,
        refused=PHONES | {"tflm": None},
    ),
    Defect(
        what=_INT32_BIAS,
        cure=_INT16_BY_EDGEPACK,
        operators=("DEPTHWISE_CONV_2D",),
        condition=_has_int32_bias,
        wrong={"tflm": None},
        refused=PHONES,
    ),
    Defect(
        what=_INT32_BIAS,
        cure=_INT16_BY_EDGEPACK,
        operators=("FULLY_CONNECTED",),
        condition=_has_int32_bias,
        refused={"tflm": "0.dev20250320222729"},
    ),
    Defect(
        what=f"{_INT32_BIAS} that its option quantized_bias_type does not declare",
        cure=_INT16_BY_EDGEPACK,
        operators=("CONV_2D",),
        condition=lambda call: (
            _has_int32_bias(call) and call.operator.options.get("quantized_bias_type") != _INT32
        ),
        wrong={"litert": None},
        refused={"tflite-runtime": "2.9.1"},
    ),
)
