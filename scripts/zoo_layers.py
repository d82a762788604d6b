"""Layers of one's own for scripts/zoo.py, in both Kerases."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tf_keras


class Sampling(keras.layers.Layer):
    """Draws from a normal distribution while training, and gives its mean afterwards."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Sample, or not."""
        mean, log_variance = inputs
        if not training:
            return mean
        noise = keras.random.normal(keras.ops.shape(mean))
        return mean + keras.ops.exp(log_variance / 2) * noise


class LegacySampling(tf_keras.layers.Layer):
    """The same for tf-keras."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Sample, or not."""
        mean, log_variance = inputs
        if not training:
            return mean
        return mean + tf.exp(log_variance / 2) * tf.random.normal(tf.shape(mean))


class AlwaysSampling(keras.layers.Layer):
    """Draws from a normal distribution, even when the model is used."""

    def call(self, inputs: Any) -> Any:
        """Sample."""
        mean, log_variance = inputs
        noise = keras.random.normal(keras.ops.shape(mean))
        return mean + keras.ops.exp(log_variance / 2) * noise


class LegacyAlwaysSampling(tf_keras.layers.Layer):
    """The same for tf-keras."""

    def call(self, inputs: Any) -> Any:
        """Sample."""
        mean, log_variance = inputs
        return mean + tf.exp(log_variance / 2) * tf.random.normal(tf.shape(mean))
