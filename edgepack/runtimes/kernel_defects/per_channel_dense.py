"""Defects of FULLY_CONNECTED with int8 weights that have one scale per output channel."""

from __future__ import annotations

from edgepack.config.quantization import INT16
from edgepack.runtimes.kernel_defects.defect import PER_CHANNEL, Defect, Lack
from edgepack.runtimes.kernel_defects.operator_conditions import (
    EACH_OUTPUT,
    MORE_DIMENSIONS,
    PER_TENSOR,
    REFERENCE_KERNELS,
    is_per_channel,
)

_OPERATOR = ("FULLY_CONNECTED",)

DEFECTS = (
    # TFLM rejects them since its pull request 2602, and computes them since 2673.
    Defect(
        what=f"int8 {EACH_OUTPUT}",
        cure=PER_TENSOR,
        operators=_OPERATOR,
        condition=is_per_channel("int8", weights="int8"),
        wrong={"tflm": "0.dev20240529040542", "tflite-runtime": "2.10.0"},
        refused={"tflm": "0.dev20241025232721"},
    ),
    Defect(
        what=f"int8 {EACH_OUTPUT} {MORE_DIMENSIONS}",
        cure=PER_TENSOR,
        operators=_OPERATOR,
        condition=is_per_channel("int8", weights="int8", matrix=False),
        wrong=REFERENCE_KERNELS,
        refused={"tflm": "0.dev20250116215618"},
    ),
    Defect(
        what=f"int16 activations, {EACH_OUTPUT}",
        cure=PER_TENSOR,
        operators=_OPERATOR,
        condition=is_per_channel("int16", weights="int8"),
        wrong={"tflm": "0.dev20240529040542", "tflite-runtime": "2.10.0"},
        refused={"tflm": "0.dev20250320222729"},
    ),
    Defect(
        what=f"int16 activations, {EACH_OUTPUT} {MORE_DIMENSIONS}",
        cure=PER_TENSOR,
        operators=_OPERATOR,
        condition=is_per_channel("int16", weights="int8", matrix=False),
        wrong={"litert": "1.1.0", "tflite-runtime": None} | REFERENCE_KERNELS,
        lack=Lack(
            f"{INT16} {PER_CHANNEL}",
            "it computes them wrongly, without an error, if their output has more than two"
            " dimensions; leave --dense per-channel out",
        ),
    ),
)
