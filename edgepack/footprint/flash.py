"""Estimate the flash and RAM that TensorFlow Lite Micro itself needs on a microcontroller.

The estimate of the code is the size of the x86-64 code in the tflite-micro package
(``kernel_bytes.json``, written by ``scripts/kernel_bytes``), scaled to TFLM compiled with GCC 12
for a Cortex-M4F with release flags: 41,632 bytes for MLPerf Tiny's kws, 46,076 for ic, 20,464 for
ad with the reference kernels. What CMSIS-NN's kernels add, or need with int8-only registrations,
was measured for these three models and divided among their operators; code that operators share is
counted for each of them.
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
"""Ratio of Thumb-2 code, by GCC -Os and -O2, to x86-64 code: 0.53 between kws and ad, 0.559 between
ic and ad."""
_LIBRARY_BYTES = 1_000  # of the C library, including double-precision arithmetic
_DENSITY = {
    REFERENCE: 1.0,
    CMSIS_NN: 1.3,
    CMSIS_NN_DSP: 1.0,
    CMSIS_NN_MVE: 1.0,
    ESP_NN: 1.4,
    ESP_NN_S3: 1.4,
}
"""Factor by which code may be larger than on a Cortex-M4F. Cortex-M0+ lacks Thumb-2 and a
floating-point unit; Xtensa and RISC-V have longer instructions. Assumed, not measured."""

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
"""Bytes that optimized kernels of all types add to the reference kernels, the fallback."""

_INT8_BYTES = {
    "ADD": 5_300,
    "AVERAGE_POOL_2D": 3_000,
    "CONV_2D": 12_500,
    "DEPTHWISE_CONV_2D": 7_600,
    "FULLY_CONNECTED": 13_000,
    "SOFTMAX": 2_300,
}
"""Bytes of kernels that are registered for int8 only, with the DSP extension."""
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
    """Estimate the code size of the interpreter and of one kernel per kind of operator, in bytes.

    ``int8_only`` is for CMSIS-NN's int8-only registrations, such as Register_CONV_2D_INT8. An
    operator that is not in the tflite-micro package counts as the largest one in it.
    """
    table = _INT8_HELIUM_BYTES if kernels == CMSIS_NN_MVE else _INT8_BYTES
    int8_sizes = table if int8_only and kernels in (CMSIS_NN_DSP, CMSIS_NN_MVE) else {}
    added = {} if kernels == REFERENCE else _CMSIS_NN_BYTES
    interpreter, measured = _measured()
    size = _LIBRARY_BYTES + _THUMB * interpreter
    for name in operator_names(model):
        general = _THUMB * measured.get(name, max(measured.values())) + added.get(name, 0)
        size += int8_sizes.get(name, general)
    return round(_DENSITY[kernels] * size)


def runtime_ram_bytes(kernels: str) -> int:
    """Estimate the size of TFLM's static data and its stack, in bytes.

    On a Cortex-M4F the most that MLPerf Tiny's kws, ic and ad need is 632 and 844: the estimate
    allows a quarter more. Windowed registers are assumed to double the stack.
    """
    return _STATIC_BYTES + _STACK_BYTES.get(kernels, _WINDOWED_STACK_BYTES)


def operator_names(model: Model) -> list[str]:
    """Return the kinds of operators in a model, sorted."""
    return sorted({operator.name for graph in model.subgraphs for operator in graph.operators})


def flash_notes(model: Model, kernels: str) -> Iterator[str]:
    """Yield notes on what the estimate of the flash is based on."""
    yield (
        "flash: the runtime is estimated from TFLM's code on this host, scaled by what MLPerf"
        " Tiny's models need on a Cortex-M4F"
    )
    if (density := _DENSITY[kernels]) > 1:
        yield f"flash: code is assumed to be {density:g} times as large as on a Cortex-M4F"
    _, known = _measured()
    if unknown := [name for name in operator_names(model) if name not in known]:
        yield f"flash: assumed to be as large as TFLM's largest kernel: {', '.join(unknown)}"


@cache
def _measured() -> tuple[int, dict[str, int]]:
    """Return the measured bytes of the interpreter and of each kernel."""
    text = files("edgepack.footprint").joinpath("kernel_bytes.json").read_text(encoding="utf-8")
    measured = json.loads(text)
    return measured["interpreter"], measured["kernels"]
