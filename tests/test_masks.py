"""Masks that are computed from the input stay in float; those that are an input do not."""

from __future__ import annotations

from pathlib import Path

from conftest import Edgepack, python

MODELS = """
import keras, numpy as np
from keras import layers

x = np.random.default_rng(0).normal(size=(40, 5, 3)).astype(np.float32)
x[:, 4] = 0
steps = layers.Input((5, 3), name="x")
kept = layers.Masking()(steps)
keras.Model(steps, layers.Dense(2)(layers.GlobalAveragePooling1D()(kept))).save("masked.keras")
mask = layers.Input((5, 1), name="mask")
kept = layers.Multiply()([steps, mask])
pooled = layers.GlobalAveragePooling1D()(kept)
keras.Model([steps, mask], layers.Dense(2)(pooled)).save("given.keras")
np.savez("masked.npz", x=x)
np.savez("given.npz", x=x, mask=(x != 0).any(axis=-1, keepdims=True).astype(np.float32))
"""


def test_a_mask_as_an_input_is_quantized_as_advised(edgepack: Edgepack, tmp_path: Path) -> None:
    made = python("-c", MODELS, cwd=tmp_path)
    assert made.returncode == 0, made.stderr

    def quantize(name: str) -> tuple[int, str]:
        done = edgepack(
            *("quantize", tmp_path / f"{name}.keras", "--target", "linux-arm64"),
            *("--representative", tmp_path / f"{name}.npz", "--output", tmp_path / name),
        )
        return done.returncode, done.stdout + done.stderr

    status, said = quantize("masked")
    assert status == 1
    assert "as by Masking or mask_zero, which TensorFlow's converter leaves in float: build" in said
    assert said.rstrip().endswith("or with the mask as an input of zeros and ones to multiply by")
    status, said = quantize("given")
    assert status == 0, said
    assert "check for a sensor" not in said  # its first steps are always in use
