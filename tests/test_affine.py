"""Quantization and dequantization as in TensorFlow Lite."""

from __future__ import annotations

import numpy as np
import pytest

from edgepack.quantization.affine import dequantize, quantize
from edgepack.tflite.graph import QuantParams, Tensor


def int8(scale: float, zero_point: int) -> Tensor:
    quant = QuantParams(scale=(scale,), zero_point=(zero_point,))
    return Tensor(name="t", shape=(1,), dtype="int8", quant=quant, data=b"")


def test_every_integer_survives_the_round_trip() -> None:
    integers = np.arange(-128, 128, dtype=np.int8)
    random = np.random.default_rng(0)
    for _ in range(200):
        tensor = int8(
            float(np.float32(10 ** random.uniform(-6, 3))), int(random.integers(-128, 128))
        )
        np.testing.assert_array_equal(quantize(dequantize(integers, tensor), tensor), integers)


def test_halves_round_away_from_zero_and_values_out_of_range_saturate() -> None:
    tensor = int8(1.0, 0)
    values = np.array([0.5, 1.5, -0.5, -1.5, 0.49999997, 300, -300, 126.5], np.float32)
    np.testing.assert_array_equal(
        quantize(values, tensor), np.array([1, 2, -1, -2, 0, 127, -128, 127], np.int8)
    )


def test_a_real_value_is_off_by_half_a_step_at_most() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        scale = float(np.float32(10 ** random.uniform(-4, 2)))
        values = random.uniform(-128, 127, 1000) * scale
        back = dequantize(quantize(values, int8(scale, 0)), int8(scale, 0))
        assert np.abs(back - values).max() <= scale * (0.5 + 1e-4)


def test_a_tensor_with_several_scales_is_rejected() -> None:
    quant = QuantParams(scale=(1.0, 2.0), zero_point=(0, 0), axis=0)
    tensor = Tensor(name="w", shape=(2,), dtype="int8", quant=quant, data=b"")
    with pytest.raises(ValueError, match="w is not quantized per tensor"):
        dequantize(np.zeros(2, np.int8), tensor)
