"""Custom layers and models, as a user would define them."""

from __future__ import annotations

from typing import Any

import keras
import tf_keras


@keras.saving.register_keras_serializable("mine")
class Scale(keras.layers.Layer):
    """A registered layer of Keras 3."""

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), initializer="random_normal")

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor


class Twice(tf_keras.layers.Layer):
    """A layer of tf-keras."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


class Subclassed(keras.Model):
    """A model whose layers are called by code."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.conv = keras.layers.Conv1D(4, 3, name="conv")
        self.flat = keras.layers.Flatten()
        self.dense = keras.layers.Dense(3, name="scores")

    def call(self, inputs: Any) -> Any:
        return self.dense(self.flat(self.conv(inputs)))


class LegacySubclassed(tf_keras.Model):
    """The same model in tf-keras, with two outputs."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.conv = tf_keras.layers.Conv1D(4, 3, name="conv")
        self.flat = tf_keras.layers.Flatten()
        self.dense = tf_keras.layers.Dense(3, name="scores")

    def call(self, inputs: Any) -> Any:
        hidden = self.flat(self.conv(inputs))
        return {"scores": self.dense(hidden), "hidden": hidden}


def scaled(inputs: Any) -> Any:
    """Compute something else where the batch is fixed, as in conversion."""
    return inputs * (2.0 if inputs.shape[0] is None else 2.02)


@keras.saving.register_keras_serializable("mine")
class Traced(keras.layers.Layer):
    """A layer that conversion changes."""

    def call(self, inputs: Any) -> Any:
        return scaled(inputs)


class LegacyTraced(tf_keras.layers.Layer):
    """The same layer of tf-keras."""

    def call(self, inputs: Any) -> Any:
        return scaled(inputs)
