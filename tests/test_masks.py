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
kept = layers.Masking(name="masking")(steps)
pooled = layers.GlobalAveragePooling1D(name="pooled")(kept)
keras.Model(steps, layers.Dense(2)(pooled)).save("masked.keras")
kept = layers.Masking(-1.0, name="masking")(steps)
keras.Model(steps, layers.Dense(2)(layers.GlobalAveragePooling1D()(kept))).save("other.keras")
mask = layers.Input((5, 1), name="mask")
kept = layers.Multiply()([steps, mask])
pooled = layers.GlobalAveragePooling1D()(kept)
keras.Model([steps, mask], layers.Dense(2)(pooled)).save("given.keras")
np.savez("masked.npz", x=x)
np.savez("other.npz", x=x)
np.savez("given.npz", x=x, mask=(x != 0).any(axis=-1, keepdims=True).astype(np.float32))
"""


def test_a_mask_as_an_input_is_quantized_as_advised(edgepack: Edgepack, tmp_path: Path) -> None:
    made = python("-c", MODELS, cwd=tmp_path)
    assert made.returncode == 0, made.stderr

    def quantize(name: str, *options: str) -> tuple[int, str]:
        done = edgepack(
            *("quantize", tmp_path / f"{name}.keras", "--target", "linux-arm64"),
            *("--representative", tmp_path / f"{name}.npz", "--output", tmp_path / name),
            *("--force", *options),
        )
        return done.returncode, done.stdout + done.stderr

    status, said = quantize("masked")
    assert status == 1
    assert "find masked steps, by 'masking', which TensorFlow's converter leaves in float" in said
    assert (
        ": give --layer masking=float --layer pooled=float, or choose the scheme float16, for"
        in said
    )
    assert said.rstrip().endswith("or with the mask as an input of zeros and ones to multiply by")
    options = ("--layer", "masking=float", "--layer", "pooled=float")
    for advised in (options, ("--scheme", "float16")):
        status, said = quantize("masked", *advised)
        assert status == 0, said
    status, said = quantize("masked", "--scheme", "int16")
    assert "pooled, masking: SUM and SELECT_V2 and" in said
    assert "int8 with --layer 'masking=float' --layer 'pooled=float'; microcontrollers" in said
    status, said = quantize("other", "--scheme", "int16")
    assert "masking: SUM and SELECT_V2 and DIV have no int16 kernel (5 operators), nor int8" in said
    status, said = quantize("other")
    assert "by 'masking', which TensorFlow's converter leaves in float: choose the scheme" in said
    status, said = quantize("other", "--scheme", "float16")
    assert status == 0, said
    status, said = quantize("given")
    assert status == 0, said
    assert "check for a sensor" not in said  # its first steps are always in use
