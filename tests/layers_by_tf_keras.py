"""A custom layer that uses Keras as `tf.keras`; run as a script, save a model that contains it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Dense, Input, Layer


@tf.keras.utils.register_keras_serializable("mine")
class Halve(Layer):
    """A layer without weights."""

    def call(self, inputs: Any) -> Any:
        return inputs / 2.0


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tf.keras.utils.set_random_seed(0)
    tf.keras.Sequential([Input((4,)), Dense(8), Halve(), Dense(3)]).save(folder / "halve.keras")
    vectors = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    np.savez(folder / "vectors.npz", x=vectors)
    sys.stdout.write(tf.keras.Model.__module__)
