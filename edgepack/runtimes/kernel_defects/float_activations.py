"""Defects of quantized weights that meet float activations, and of DEQUANTIZE."""

from __future__ import annotations

from edgepack.config.quantization import DYNAMIC_RANGE, FLOAT16
from edgepack.runtimes.kernel_defects.defect import Defect, Lack
from edgepack.runtimes.kernel_defects.operator_conditions import (
    CONVOLUTIONS,
    EACH_OUTPUT,
    INT8_WEIGHTS,
    PER_TENSOR,
    PHONES,
    QUANTIZE_TO_INT8,
    REFERENCE_KERNELS,
    has_dtypes,
    has_input_dtype,
    is_per_channel,
)
from edgepack.tflite.operator_calls import OperatorCall

_INTEGERS = ("int2", "int4", "int8", "uint8")


def _is_hybrid(call: OperatorCall) -> bool:
    """Whether activations are float, and weights integers: kernels then compute with both."""
    inputs = [tensor for tensor in call.inputs if tensor]
    return (
        call.output_dtype == "float32"
        and any(each.dtype == "float32" and not each.is_constant for each in inputs)
        and any(each.dtype in _INTEGERS and each.is_constant for each in inputs)
    )


DEFECTS = (
    Defect(
        what="float activations and integer weights (hybrid kernels, as for dynamic-range"
        " quantization)",
        cure="quantize activations too: edgepack quantize --scheme int8",
        operators=(
            *(*CONVOLUTIONS, "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL", "SVDF"),
            *("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
        ),
        condition=_is_hybrid,
        refused={"tflm": None},
        lack=Lack(DYNAMIC_RANGE, "it has no kernels for int8 weights with float activations"),
    ),
    Defect(
        what="float activations and int8 weights",
        cure=QUANTIZE_TO_INT8,
        operators=("TRANSPOSE_CONV",),
        condition=lambda call: call.output_dtype == "float32" and call.dtype(1) == "int8",
        refused={"tflite-runtime": None},
    ),
    Defect(
        what="float activations and int8 weights with a single scale",
        cure="give each channel a scale",
        operators=("DEPTHWISE_CONV_2D",),
        condition=lambda call: has_dtypes("float32", "int8")(call) and not call.is_per_channel(1),
        refused=PHONES,
    ),
    # This needs FULLY_CONNECTED version 12, but files may name a lower version.
    Defect(
        what=f"float activations and int8 {EACH_OUTPUT}",
        cure=PER_TENSOR,
        operators=("FULLY_CONNECTED",),
        condition=is_per_channel("float32", weights="int8"),
        wrong=REFERENCE_KERNELS,
    ),
    Defect(
        what="one scale per channel",
        cure=QUANTIZE_TO_INT8,
        operators=("DEQUANTIZE",),
        condition=lambda call: call.is_per_channel(0),
        wrong={"tflm": None},
    ),
    Defect(
        what="float16",
        cure=QUANTIZE_TO_INT8,
        operators=("DEQUANTIZE",),
        condition=has_input_dtype("float16"),
        refused={"tflm": None},
        lack=Lack(FLOAT16, "its DEQUANTIZE does not support float16"),
    ),
    Defect(
        what="int4",
        cure=INT8_WEIGHTS,
        operators=("DEQUANTIZE",),
        condition=has_input_dtype("int4"),
        refused={"tflm": None},
    ),
)
