"""Port Keras 3 models to tf-keras, and print how much the outputs differ, as JSON.

Run as a script, in a process of its own, as the TensorFlow worker would.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import keras
import numpy as np

from edgepack.compression.keras_port import port_to_tf_keras
from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.pruning.settings import Prune
from edgepack.compression.pruning.tfmot_wrappers import wrap_layers
from edgepack.core.errors import ModelError
from edgepack.load.keras_model import KerasModel


class Scale(keras.layers.Layer):
    """A custom layer with a weight."""

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), initializer="random_normal")

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor


class Dense(Scale):
    """A custom layer with the name of one of Keras's."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.dropout = keras.layers.Dropout(0.5)  # has a variable that is not a weight: its seed

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.dropout(super().call(inputs), training=training)


def models() -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Build the models; returns each with the shape of its input, by name."""
    keras.utils.set_random_seed(0)
    layers, sequential = keras.layers, keras.Sequential
    image, sequence = (12, 12, 3), (10, 4)

    def residual() -> Any:
        inputs = layers.Input(image)
        shared = layers.Conv2D(3, 3, padding="same", activation="gelu")
        hidden = shared(shared(inputs)) * 2.0 + inputs
        hidden = keras.ops.concatenate([hidden, keras.ops.sin(inputs)], axis=-1)
        return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(hidden)))

    def attention() -> Any:
        inputs = layers.Input(sequence)
        attended = layers.MultiHeadAttention(2, 8)(inputs, inputs)
        hidden = layers.LayerNormalization()(attended + inputs)
        return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(hidden)))

    def attention_by_keyword() -> Any:
        inputs = layers.Input(sequence)
        keys = layers.Dense(4)(inputs)
        attended = layers.MultiHeadAttention(2, 8)(inputs, value=keys, key=keys * 2)
        joined = keras.ops.concatenate([attended, keras.ops.reshape(keys, (-1, 10, 4))], axis=1)
        return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(joined)))

    activations = ["leaky_relu", "hard_sigmoid", "hard_silu", "relu6", "silu", "mish"]
    statistics = layers.Normalization()
    statistics.adapt(np.random.default_rng(0).normal(3, 2, (50, 3)))
    return {
        "residual with a shared layer and keras.ops": (residual(), image),
        "attention": (attention(), sequence),
        "attention by keyword": (attention_by_keyword(), sequence),
        "activations with different formulas": (
            sequential(
                [layers.Input(image), *(layers.Conv2D(3, 1, activation=a) for a in activations)]
            ),
            image,
        ),
        "preprocessing": (
            sequential(
                [
                    *(layers.Input(image), layers.Rescaling(1 / 255), statistics),
                    *(layers.Resizing(6, 6), layers.RandomFlip(), layers.Conv2D(4, 3)),
                    *(layers.PReLU(alpha_initializer="ones"), layers.LeakyReLU()),
                ]
            ),
            image,
        ),
        "recurrent": (
            sequential(
                [
                    *(layers.Input(sequence), layers.LSTM(8, return_sequences=True)),
                    layers.Bidirectional(layers.GRU(5, return_sequences=True)),
                    *(layers.TimeDistributed(layers.Dense(6)), layers.SimpleRNN(4)),
                ]
            ),
            sequence,
        ),
        "nested": (
            sequential(
                [
                    *(layers.Input(image), sequential([layers.SeparableConv2D(4, 3)])),
                    *(layers.Dropout(0.5), layers.BatchNormalization()),
                    layers.Conv2DTranspose(2, 3),
                ]
            ),
            image,
        ),
        "custom layer": (
            sequential([layers.Input(image), Scale(), layers.DepthwiseConv2D(3), layers.Dense(2)]),
            image,
        ),
        "custom layer with a Keras name": (
            sequential([layers.Input(image), Dense(), layers.Conv2D(2, 3)]),
            image,
        ),
        "MobileNetV3Small": (
            keras.applications.MobileNetV3Small(input_shape=(32, 32, 3), weights=None, classes=4),
            (32, 32, 3),
        ),
        "ConvNeXtTiny": (
            keras.applications.ConvNeXtTiny(input_shape=(32, 32, 3), weights=None, classes=4),
            (32, 32, 3),
        ),
    }


def main() -> None:
    """Print, for each model, the largest difference, or the error."""
    results: dict[str, object] = {}
    for name, (model, shape) in models().items():
        inputs = np.random.default_rng(1).uniform(0, 1, (4, *shape)).astype(np.float32)
        try:
            loaded = KerasModel(model, keras, Path(name))
            ported = port_to_tf_keras(loaded, {loaded.signature.inputs[0].name: inputs}).model
        except ModelError as error:
            results[name] = str(error)
            continue
        original = np.asarray(model(inputs, training=False))
        # Wrapping copies the graph.
        wrapped = wrap_layers(ported, PruningPlan(Prune(sparsity=0.5), None))
        for copy, label in ((ported, name), (wrapped, f"{name}: wrapped")):
            difference = np.abs(original - np.asarray(copy(inputs, training=False))).max()
            results[label] = float(difference / np.abs(original).max())
        results[f"{name}: weights"] = [
            sum(int(np.prod(w.shape)) for w in each.trainable_weights) for each in (model, ported)
        ]
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
