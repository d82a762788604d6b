"""Files with one operator, its inputs, and the expected outputs computed in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tiny import Value, one_operator

SAMPLES, CHANNELS = 6, 8
LARGEST = {"int4": 7, "int8": 127, "int16": 32767}


@dataclass(frozen=True)
class Case:
    """A file, its input samples, and the real values expected as outputs."""

    data: bytes
    inputs: np.ndarray
    expected: np.ndarray


def weighted(
    operator: str,
    activations: str,
    weights: str,
    *,
    by_channel: bool = True,
    bias: str | None = None,
    dimensions: int = 2,
    zero_point: int = 0,
) -> Case:
    """Make a dense layer or a 1 x 1 convolution, so that both are matrix products."""
    random = np.random.default_rng(0)
    is_dense, is_depthwise = operator == "FULLY_CONNECTED", operator == "DEPTHWISE_CONV_2D"
    spread = np.logspace(-1, 1, CHANNELS)  # channels differ, or a single scale would suffice
    real = random.normal(size=(1 if is_depthwise else CHANNELS, CHANNELS))
    real = real * (spread if is_depthwise else spread[:, None])
    largest = np.abs(real).max(axis=0 if is_depthwise else 1) if by_channel else np.abs(real).max()
    scales = np.atleast_1d(largest / LARGEST[weights])
    stored = np.rint(real / (scales if is_depthwise else scales[:, None]))
    real = stored * (scales if is_depthwise else scales[:, None])
    shape = (1, *(3,) * (dimensions - 2 if is_dense else 2), CHANNELS)
    inputs, real_inputs, scale = _quantized(
        random.normal(size=(SAMPLES, *shape[1:])), activations, zero_point
    )
    shift = np.rint(random.normal(size=CHANNELS) * 99) if bias else np.zeros(CHANNELS)
    step = scales * scale
    expected = (real_inputs * real if is_depthwise else real_inputs @ real.T) + shift * step
    output_scale = np.abs(expected).max() / LARGEST.get(activations, 1) * 1.2
    strides = {"strideW": 1, "strideH": 1}
    options: dict[str, dict[str, Any]] = {
        "FULLY_CONNECTED": {"table": "FullyConnectedOptions", "keepNumDims": dimensions > 2},
        "CONV_2D": {"table": "Conv2DOptions", **strides},
        "DEPTHWISE_CONV_2D": {"table": "DepthwiseConv2DOptions", "depthMultiplier": 1, **strides},
    }
    is_float = activations == "float32"
    data = one_operator(
        operator,
        [
            Value(shape, activations, None if is_float else scale, zero_point),
            Value(
                real.shape if is_dense else (len(real), 1, 1, CHANNELS),
                weights,
                scales.tolist(),
                axis=3 if is_depthwise else 0,
                values=stored,
            ),
            Value(
                (CHANNELS,),
                bias,
                None if bias == "float32" else step.tolist(),
                values=shift * step if bias == "float32" else shift,
            )
            if bias
            else None,
        ],
        [Value(shape, activations, None if is_float else output_scale, zero_point)],
        **options[operator],
    )
    return Case(data=data, inputs=inputs, expected=expected)


def dequantized(dtype: str) -> Case:
    """Make a DEQUANTIZE of int8 with one scale per channel, or of float16."""
    random = np.random.default_rng(0)
    scales = np.logspace(-1, 1, CHANNELS)
    inputs = random.integers(-99, 99, (SAMPLES, CHANNELS)).astype(dtype)
    value = Value((1, CHANNELS), dtype, scales.tolist() if dtype == "int8" else None, axis=1)
    data = one_operator("DEQUANTIZE", [value], [Value((1, CHANNELS))])
    return Case(data=data, inputs=inputs, expected=inputs * (scales if dtype == "int8" else 1.0))


def widened() -> Case:
    """Make a QUANTIZE of int8 to int16."""
    inputs = np.arange(SAMPLES * CHANNELS, dtype=np.int8).reshape(SAMPLES, CHANNELS)
    before, after = (
        Value((1, CHANNELS), dtype, scale) for dtype, scale in (("int8", 0.1), ("int16", 0.001))
    )
    return Case(one_operator("QUANTIZE", [before], [after]), inputs, inputs * 0.1)


def rescaled(operator: str, dtype: str) -> Case:
    """Make an operator that passes values on, with inputs and an output of unlike scales."""
    random = np.random.default_rng(0)
    lowest, largest = np.iinfo(dtype).min, LARGEST[dtype]
    zero_points = (-3, -100) if dtype == "int8" else (0, 0)
    scales = (8 / largest, 3.5 / largest)
    is_pool, has_two = "POOL" in operator, operator in ("MAXIMUM", "MINIMUM")
    shape = (1, 1, 1, CHANNELS) if is_pool else (1, CHANNELS)
    stored = random.integers(lowest, largest, (SAMPLES, *shape[1:]), endpoint=True).astype(dtype)
    real = (stored.astype(float) - zero_points[0]) * scales[0]
    limits = (np.array([lowest, largest]) - zero_points[1]) * scales[1]
    constant = np.zeros(CHANNELS)
    expected = {
        "RELU": lambda: np.maximum(real, 0),
        "RELU6": lambda: np.clip(real, 0, 6),
        "LEAKY_RELU": lambda: np.where(real < 0, real / 8, real),
        "MAXIMUM": lambda: np.maximum(real, 0),
        "MINIMUM": lambda: np.minimum(real, 0),
    }.get(operator, lambda: real)()
    options = {"table": "LeakyReluOptions", "alpha": 1 / 8} if operator == "LEAKY_RELU" else {}
    inputs = [Value(shape, dtype, scales[0], zero_points[0])]
    if has_two:
        inputs.append(
            Value(shape, dtype, scales[1], zero_points[1], values=zero_points[1] + constant)
        )
    version = (
        (4 if has_two else 3 if "RELU6" in operator or is_pool else 2) if dtype == "int16" else 2
    )
    data = one_operator(
        operator,
        inputs,
        [Value(shape, dtype, scales[1], zero_points[1])],
        version=version,
        **options,
    )
    return Case(data=data, inputs=stored, expected=np.clip(expected, *limits))


_SHAPE = (1, CHANNELS)
_IMAGE = (1, 1, 1, CHANNELS)
_INT32 = {
    "BROADCAST_TO": [_SHAPE],
    "EXPAND_DIMS": [(2,)],
    "PAD": [((0, 0), (0, 0))],
    "REDUCE_MAX": [(0,)],
    "REDUCE_MIN": [(0,)],
    "RESHAPE": [_SHAPE],
    "RESIZE_NEAREST_NEIGHBOR": [(1, 1)],
    "REVERSE_V2": [(0,)],
    "SLICE": [(0, 0), _SHAPE],
    "STRIDED_SLICE": [(0, 0), _SHAPE, (1, 1)],
    "TILE": [(1, 1)],
    "TRANSPOSE": [(0, 1)],
}
"""The inputs in int32 with which operators move no value."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "CONCATENATION": {"table": "ConcatenationOptions", "axis": 1},
    "PACK": {"table": "PackOptions", "axis": 1, "valuesCount": 1},
    "REDUCE_MAX": {"table": "ReducerOptions", "keepDims": True},
    "REDUCE_MIN": {"table": "ReducerOptions", "keepDims": True},
    "SQUEEZE": {"table": "SqueezeOptions", "squeezeDims": [1, 2]},
}
_OUTPUTS = {"EXPAND_DIMS": (1, CHANNELS, 1), "PACK": (1, 1, CHANNELS), "SQUEEZE": _SHAPE}
_VERSIONS = {"EXPAND_DIMS": 1, "RESHAPE": 1, "REVERSE_V2": 2, "SQUEEZE": 1}
MOVED = {
    **dict.fromkeys((*_INT32, "CONCATENATION", "PACK", "SQUEEZE"), ("int8", "int16")),
    **dict.fromkeys(("REDUCE_MAX", "REDUCE_MIN", "TILE"), ("int8",)),
}
"""Operators that move integers, and the types that every interpreter with a kernel has."""


def moved(operator: str, dtype: str) -> Case:
    """Make an operator that moves integers, with an input and an output of unlike scales."""
    random = np.random.default_rng(0)
    lowest, largest = np.iinfo(dtype).min, LARGEST[dtype]
    zero_points = (-3, -100) if dtype == "int8" else (0, 0)
    scales = (8 / largest, 3.5 / largest)
    shape = _IMAGE if operator in ("RESIZE_NEAREST_NEIGHBOR", "SQUEEZE") else _SHAPE
    stored = random.integers(lowest, largest, (SAMPLES, *shape[1:]), endpoint=True).astype(dtype)
    real = (stored.astype(float) - zero_points[0]) * scales[0]
    limits = (np.array([lowest, largest]) - zero_points[1]) * scales[1]
    output = _OUTPUTS.get(operator, shape)
    data = one_operator(
        operator,
        [
            Value(shape, dtype, scales[0], zero_points[0]),
            *(Value(np.shape(each), "int32", values=each) for each in _INT32.get(operator, [])),
        ],
        [Value(output, dtype, scales[1], zero_points[1])],
        version=_VERSIONS.get(operator, 3 if dtype == "int16" else 2),
        **_OPTIONS.get(operator, {}),
    )
    return Case(data, stored, np.clip(real, *limits).reshape(SAMPLES, *output[1:]))


def _quantized(
    real: np.ndarray, dtype: str, zero_point: int
) -> tuple[np.ndarray, np.ndarray, float]:
    if dtype == "float32":
        return real.astype(np.float32), real, 1.0
    scale = np.abs(real).max() / LARGEST[dtype] * 1.2
    stored = np.rint(real / scale) + zero_point
    return stored.astype(dtype), (stored - zero_point) * scale, float(scale)


def cases() -> dict[str, Case]:
    """Return every case by its name."""
    dense, conv, depthwise = "FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"
    cases = {
        "dense int8": weighted(dense, "int8", "int8", bias="int32"),
        "dense int8, 3 dimensions": weighted(dense, "int8", "int8", bias="int32", dimensions=3),
        "dense int4": weighted(dense, "int8", "int4", bias="int32"),
        "dense int4, one scale": weighted(dense, "int8", "int4", bias="int32", by_channel=False),
        "dense int16": weighted(dense, "int16", "int8", bias="int64"),
        "dense int16, 3 dimensions": weighted(dense, "int16", "int8", bias="int64", dimensions=3),
        "dense int16 asymmetric": weighted(dense, "int16", "int8", bias="int64", zero_point=5000),
        "dense int16, int4": weighted(dense, "int16", "int4", bias="int64", by_channel=False),
        "dense hybrid": weighted(dense, "float32", "int8", bias="float32"),
        "dense hybrid, one scale": weighted(
            dense, "float32", "int8", bias="float32", by_channel=False
        ),
        "dequantize by channel": dequantized("int8"),
        "dequantize float16": dequantized("float16"),
        "quantize int8 to int16": widened(),
    }
    for operator in (
        *("AVERAGE_POOL_2D", "LEAKY_RELU", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "RELU", "RELU6"),
    ):
        for dtype in ("int8", "int16"):
            cases[f"{operator.lower()} {dtype}, unlike scales"] = rescaled(operator, dtype)
    cases |= {
        f"{operator.lower()} {dtype}, unlike scales": moved(operator, dtype)
        for operator, dtypes in MOVED.items()
        for dtype in dtypes
    }
    for operator in (conv, depthwise):
        name = operator.lower()
        cases |= {
            f"{name} int8": weighted(operator, "int8", "int8", bias="int32"),
            f"{name} int4": weighted(operator, "int8", "int4", bias="int32"),
            f"{name} int16": weighted(operator, "int16", "int8", bias="int64"),
            f"{name} int16, int32 bias": weighted(operator, "int16", "int8", bias="int32"),
            f"{name} int16 asymmetric": weighted(
                operator, "int16", "int8", bias="int64", zero_point=5000
            ),
            f"{name} int16, int4": weighted(operator, "int16", "int4", bias="int64"),
            f"{name} hybrid": weighted(operator, "float32", "int8", bias="float32"),
            f"{name} hybrid int4": weighted(operator, "float32", "int4", bias="float32"),
        }
    return cases
