"""Defects of weights with fewer than 8 bits, and of weights with one scale per block."""

from __future__ import annotations

from edgepack.config.quantization import INT4
from edgepack.runtimes.kernel_defects.defect import PER_CHANNEL, Defect, Lack
from edgepack.runtimes.kernel_defects.operator_conditions import (
    EACH_OUTPUT,
    INT8_WEIGHTS,
    PER_TENSOR,
    PHONES,
    REFERENCE_KERNELS,
    has_dtypes,
    has_input_dtype,
    is_per_channel,
)

_FLOAT_INT4 = "float activations and int4 weights"
_INT16_INT4 = "int16 activations and int4 weights"

DEFECTS = (
    Defect(
        what=f"int4 {EACH_OUTPUT}",
        cure=f"{PER_TENSOR}, or {INT8_WEIGHTS}",
        operators=("FULLY_CONNECTED",),
        condition=is_per_channel("int8", weights="int4"),
        wrong={"tflm": "0.dev20240529040542"},
        refused={"litert": "1.1.0", "tflite-runtime": None, "tflm": None},
        lack=Lack(
            f"{INT4} {PER_CHANNEL}",
            "its FULLY_CONNECTED supports int4 weights with a single scale only; leave"
            " --dense per-channel out",
        ),
    ),
    Defect(
        what=_FLOAT_INT4,
        cure=INT8_WEIGHTS,
        operators=("CONV_2D",),
        condition=has_dtypes("float32", "int4"),
        wrong={"litert": "1.1.0", "tflite-runtime": None} | REFERENCE_KERNELS,
    ),
    Defect(
        what=_FLOAT_INT4,
        cure=INT8_WEIGHTS,
        operators=("FULLY_CONNECTED",),
        condition=has_dtypes("float32", "int4"),
        wrong={"tflite-runtime": "2.14.0"},
        refused={"litert": "1.3.0"},
    ),
    Defect(
        what=_FLOAT_INT4,
        cure=INT8_WEIGHTS,
        operators=("DEPTHWISE_CONV_2D",),
        condition=has_dtypes("float32", "int4"),
        refused=PHONES,
    ),
    Defect(
        what=_INT16_INT4,
        cure=INT8_WEIGHTS,
        operators=("CONV_2D",),
        condition=has_dtypes("int16", "int4"),
        wrong={"litert": "1.1.0", "tflite-runtime": None} | REFERENCE_KERNELS,
        refused={"tflm": None},
    ),
    Defect(
        what=_INT16_INT4,
        cure=INT8_WEIGHTS,
        operators=("DEPTHWISE_CONV_2D",),
        condition=has_dtypes("int16", "int4"),
        wrong=PHONES | REFERENCE_KERNELS,
        refused={"tflm": None},
    ),
    Defect(
        what=_INT16_INT4,
        cure=INT8_WEIGHTS,
        operators=("FULLY_CONNECTED",),
        condition=has_dtypes("int16", "int4"),
        wrong=REFERENCE_KERNELS,
        refused={"tflm": None},
    ),
    Defect(
        what="weights with one scale per block",
        cure="give weights one scale per channel",
        condition=lambda call: any(tensor.is_blockwise for tensor in call.inputs if tensor),
        wrong={"litert": "2.1.0", "tflite-runtime": None} | REFERENCE_KERNELS,
        refused={"tflm": None},
    ),
    Defect(
        what="int2 weights",
        cure=INT8_WEIGHTS,
        operators=("CONV_2D",),
        condition=has_input_dtype("int2"),
        wrong={"litert": None},
    ),
    Defect(
        what="int2",
        cure=INT8_WEIGHTS,
        condition=has_input_dtype("int2"),
        refused={"litert": "2.1.2", "tflite-runtime": None, "tflm": None},
    ),
)
