"""Scales that are not positive normal numbers are damage, except those of zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny import Value, one_operator

from edgepack.core.errors import ModelError
from edgepack.quantization.dynamic_range import quantize_weights
from edgepack.tflite.parser import read_tflite

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
MESSAGE = "has scales that are not positive normal numbers"


def scaled(scale: float, values: Any, dtype: str = "int8") -> bytes:
    """Write a dense layer with ``scale`` for the weights of its second output."""
    weights = Value((2, 4), dtype, [0.1, scale], values=values)
    return one_operator(
        "FULLY_CONNECTED",
        [Value((1, 4), "int8", 0.1), weights, None],
        [Value((1, 2), "int8", 0.1)],
    )


@pytest.mark.parametrize("dtype", ["int8", "int4"])
@pytest.mark.parametrize("scale", [0.0, 1e-45, SMALLEST_NORMAL / 2, np.nan, np.inf, -1.0])
def test_scales_that_are_no_valid_divisors_are_damage(scale: float, dtype: str) -> None:
    with pytest.raises(ModelError, match=f"tensor 1 {MESSAGE}$"):
        read_tflite(scaled(scale, [1, 2, 3, 4, 0, 0, 0, 1], dtype))
    assert read_tflite(scaled(SMALLEST_NORMAL, [1, 2, 3, 4, 0, 0, 0, 1], dtype))


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_scales_of_channels_of_zeros_are_ignored(dtype: str) -> None:
    """TensorFlow's converter writes 0, or a number close to it, for them (int16, 2.15)."""
    for scale in (0.0, 8e-45):
        assert read_tflite(scaled(scale, [1, 2, 3, 4, 0, 0, 0, 0], dtype)).main.operators
    for scale in (np.nan, np.inf, -1.0):
        with pytest.raises(ModelError, match=MESSAGE):
            read_tflite(scaled(scale, [1, 2, 3, 4, 0, 0, 0, 0], dtype))


@pytest.mark.parametrize(
    ("scale", "is_damage"),
    [
        (0.0, True),
        (1e-45, True),
        (1e-39, True),
        (4.6099e-41, False),  # what the converter writes for a dead branch in int8,
        (3.59e-43, False),  # and in int16
        (7.8e-9, False),
    ],
)
def test_scales_of_activations_are_normal_or_those_of_dead_branches(
    scale: float, is_damage: bool
) -> None:
    value = Value((1, 4), "int8", scale)
    data = one_operator("RELU", [value], [value])
    if is_damage:
        with pytest.raises(ModelError, match=f"tensor 0 {MESSAGE}$"):
            read_tflite(data)
    else:
        assert read_tflite(data).main.operators


def test_edgepack_writes_no_such_scale() -> None:
    weights = np.full((8, 256), 1e-42, np.float32)
    weights[1] = 0.5
    value = Value(weights.shape, values=weights)
    data = one_operator(
        "FULLY_CONNECTED",
        [Value((1, 256)), value, None],
        [Value((1, 8))],
        table="FullyConnectedOptions",
    )
    quantized = quantize_weights(data, lambda _: True, per_tensor_dense=False)
    (params,) = [t.quant for t in read_tflite(quantized).main.tensors if t.quant]
    assert min(params.scale) > SMALLEST_NORMAL
