"""The flash and RAM that TensorFlow Lite Micro itself takes on a microcontroller: estimates.

Code: the x86-64 code of the tflite-micro package (``kernel_bytes.json``, written by
``scripts/kernel_bytes``), scaled to what GCC 12 made of TFLM for a Cortex-M4F with release flags:
41,632 bytes for MLPerf Tiny's kws, 46,076 for ic, 20,464 for ad with the reference kernels. What
CMSIS-NN's kernels add, or take with int8-only registrations, is measured for these three models
and shared out among their operators; operators that share code count it twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from edgepack.footprint.scratch_buffers import (
    CMSIS_NN,
    CMSIS_NN_DSP,
    CMSIS_NN_MVE,
    ESP_NN,
    ESP_NN_S3,
    REFERENCE,
)
from edgepack.tflite.graph import Model

_THUMB = 0.56
"""Thumb-2 code of GCC -Os and -O2 to x86-64 code: 0.53 between kws and ad, 0.559 between ic and
ad."""
_LIBRARY_BYTES = 1_000  # of the C library, among it arithmetic in double precision
_DENSITY = {
    REFERENCE: 1.0,
    CMSIS_NN: 1.3,
    CMSIS_NN_DSP: 1.0,
    CMSIS_NN_MVE: 1.0,
    ESP_NN: 1.4,
    ESP_NN_S3: 1.4,
}
"""How much larger code may be than on a Cortex-M4F. Cortex-M0+ lacks Thumb-2 and a floating-point
unit; Xtensa and RISC-V have longer instructions. Assumed, not measured."""

_CMSIS_NN_BYTES = {
    "ADD": 1_500,
    "AVERAGE_POOL_2D": 2_500,
    "BATCH_MATMUL": 11_600,
    "CONV_2D": 16_500,
    "DEPTHWISE_CONV_2D": 11_000,
    "FULLY_CONNECTED": 11_600,
    "MAXIMUM": 1_500,
    "MAX_POOL_2D": 2_500,
    "MINIMUM": 1_500,
    "MUL": 1_500,
    "PAD": 1_500,
    "SOFTMAX": 3_000,
    "SVDF": 11_600,
    "TRANSPOSE": 1_500,
    "TRANSPOSE_CONV": 16_500,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 11_600,
}
"""What optimized kernels of all types add to the reference kernels, which stay as a fallback."""

_INT8_BYTES = {
    "ADD": 5_300,
    "AVERAGE_POOL_2D": 3_000,
    "CONV_2D": 12_500,
    "DEPTHWISE_CONV_2D": 7_600,
    "FULLY_CONNECTED": 13_000,
    "SOFTMAX": 2_300,
}
"""What kernels registered for int8 alone take, with the DSP extension."""
_INT8_HELIUM_BYTES = _INT8_BYTES | {
    "ADD": 4_500,
    "CONV_2D": 11_700,
    "DEPTHWISE_CONV_2D": 7_800,
    "FULLY_CONNECTED": 5_000,
}

_STATIC_BYTES = 1_024
_STACK_BYTES = {REFERENCE: 1_024, CMSIS_NN: 1_024, CMSIS_NN_DSP: 1_024, CMSIS_NN_MVE: 1_024}
_WINDOWED_STACK_BYTES = 2_048


def runtime_flash_bytes(model: Model, kernels: str, *, int8_only: bool = False) -> int:
    """Estimate the code of the interpreter and of a kernel for each kind of operator, in bytes.

    ``int8_only`` takes CMSIS-NN's registrations for int8 alone, such as Register_CONV_2D_INT8. An
    operator that is not in the tflite-micro package counts as the largest that is.
    """
    table = _INT8_HELIUM_BYTES if kernels == CMSIS_NN_MVE else _INT8_BYTES
    alone = table if int8_only and kernels in (CMSIS_NN_DSP, CMSIS_NN_MVE) else {}
    added = {} if kernels == REFERENCE else _CMSIS_NN_BYTES
    interpreter, measured = _measured()
    size = _LIBRARY_BYTES + _THUMB * interpreter
    for name in operator_names(model):
        general = _THUMB * measured.get(name, max(measured.values())) + added.get(name, 0)
        size += alone.get(name, general)
    return round(_DENSITY[kernels] * size)


def runtime_ram_bytes(kernels: str) -> int:
    """Allow for TFLM's static data and its stack, in bytes.

    On a Cortex-M4F 632 and 844 are the most of MLPerf Tiny's kws, ic and ad: the allowance leaves
    a quarter. Windowed registers are taken to double the stack.
    """
    return _STATIC_BYTES + _STACK_BYTES.get(kernels, _WINDOWED_STACK_BYTES)


def operator_names(model: Model) -> list[str]:
    """Name each kind of operator once."""
    return sorted({operator.name for graph in model.subgraphs for operator in graph.operators})


def flash_notes(model: Model, kernels: str) -> Iterator[str]:
    """Say on what an estimate rests."""
    yield (
        "flash: the runtime is estimated from TFLM's code on this host, scaled by what MLPerf"
        " Tiny's models take on a Cortex-M4F"
    )
    if (density := _DENSITY[kernels]) > 1:
        yield f"flash: code is taken to be {density:g} times as large as on a Cortex-M4F"
    _, known = _measured()
    if unknown := [name for name in operator_names(model) if name not in known]:
        yield f"flash: of unknown size, taken to be TFLM's largest kernel: {', '.join(unknown)}"


@cache
def _measured() -> tuple[int, dict[str, int]]:
    """Read the bytes of the interpreter, and of each kernel."""
    text = files("edgepack.footprint").joinpath("kernel_bytes.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return found["interpreter"], found["kernels"]
