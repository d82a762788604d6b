"""Write models in every format and of every kind that users bring, and data, into a folder.

Run as a script, in a process of its own: the tests' process stays free of TensorFlow.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from own_layers import LegacySubclassed, Scale, Subclassed, Twice

SAMPLES = 24
SEQUENCE = (10, 4)


def two(kit: Any) -> Any:
    """Build a model of two inputs and two outputs."""
    layers = kit.layers
    left, right = layers.Input((6,), name="left"), layers.Input((4,), name="right")
    hidden = layers.Dense(16, "relu", name="hidden")(layers.Concatenate()([left, right]))
    kind = layers.Dense(3, "softmax", name="kind")(hidden)
    return kit.Model([left, right], [kind, layers.Dense(1, name="value")(hidden)])


def swapped(kit: Any) -> Any:
    """Build a model whose dictionary of inputs has other names than its layers."""
    layers = kit.layers
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    difference = layers.Subtract()([layers.Dense(4)(a), layers.Dense(4)(b)])
    model = kit.Model({"b": a, "a": b}, {"out": layers.Dense(2)(difference)})
    model.compile("adam", "mae")
    return model


def image(kit: Any, *front: Any) -> Any:
    """Build a classifier of 8 x 8 images, with some layers in front."""
    layers = kit.layers
    return kit.Sequential(
        [
            *(layers.Input((8, 8, 1)), *front, layers.Conv2D(4, 3, activation="relu")),
            *(layers.DepthwiseConv2D(3), layers.Flatten(), layers.Dense(3, "softmax")),
        ]
    )


def preprocessed(kit: Any) -> Any:
    """Build one that scales, resizes and augments what it is given."""
    layers = kit.layers
    statistics = layers.Normalization()
    statistics.adapt(np.random.default_rng(0).normal(0.5, 2, (50, 8, 8, 1)))
    front = (layers.Rescaling(0.5), statistics, layers.Resizing(12, 12))
    return image(kit, *front, layers.RandomFlip(), layers.RandomRotation(0.1))


def channels_first(kit: Any) -> Any:
    """Build one whose images have their channel first."""
    layers, first = kit.layers, {"data_format": "channels_first"}
    return kit.Sequential(
        [
            *(layers.Input((1, 8, 8)), layers.Conv2D(4, 3, **first)),
            *(layers.BatchNormalization(axis=1), layers.MaxPooling2D(**first)),
            *(layers.Flatten(), layers.Dense(3, "softmax")),
        ]
    )


def mixed(kit: Any) -> Any:
    """Build one that computes in float16, with a model inside."""
    layers = kit.layers
    kit.mixed_precision.set_global_policy("mixed_float16")
    inner = kit.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()])
    model = image(kit, inner)
    model.add(layers.Activation("linear", dtype="float32"))
    kit.mixed_precision.set_global_policy("float32")
    return model


def recurrent(kit: Any, *kinds: str, steps: int | None = SEQUENCE[0]) -> Any:
    """Build a classifier of sequences, rolled as Keras makes them."""
    layers = kit.layers
    model = kit.Sequential([layers.Input((steps, SEQUENCE[1]))])
    for number, kind in enumerate(kinds):
        layer = getattr(layers, kind)(6, return_sequences=number < len(kinds) - 1)
        model.add(layers.Bidirectional(layer) if number == 0 else layer)
    model.add(layers.Dense(3, "softmax"))
    return model


class Convolving(tf.Module):
    """A graph of one convolution, in a layout."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self._layout = layout

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 8), tf.float32)])
    def __call__(self, x: Any) -> Any:
        return tf.nn.conv2d(x, tf.ones((3, 3, 8, 2)), 1, "SAME", data_format=self._layout)


class Plain(tf.Module):
    """A module with a signature, and nothing of Keras."""

    def __init__(self) -> None:
        self.weights = tf.Variable(np.random.default_rng(0).normal(size=(6, 3)), dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, 6), tf.float32, name="features")])
    def __call__(self, features: Any) -> Any:
        return {"scores": tf.nn.softmax(features @ self.weights)}


def main(folder: Path) -> None:
    """Write every model."""
    builders = {
        "preprocessed": preprocessed,
        "channels_first": channels_first,
        "mixed": mixed,
        "two": two,
        "swapped": swapped,
        "rolled": lambda kit: recurrent(kit, "LSTM", "GRU", "SimpleRNN"),
        "open_sequence": lambda kit: recurrent(kit, "LSTM", steps=None),
    }
    for kit in (keras, tf_keras):
        kit.utils.set_random_seed(0)
        for name, build in builders.items():
            build(kit).save(folder / f"{name}_{kit.__name__}.keras")
        model = two(kit)
        (folder / f"two_{kit.__name__}.json").write_text(model.to_json())
        model.save_weights(folder / f"two_{kit.__name__}.weights.h5")
    model.save_weights(folder / "two_legacy_weights.h5")
    model.save_weights(folder / "two_checkpoint", save_format="tf")
    image(tf_keras).save(folder / "depthwise.h5")
    two(keras).export(folder / "exported", verbose=False)
    tf.saved_model.save(Plain(), str(folder / "plain"))
    for layout in ("NHWC", "NCHW"):
        tf.saved_model.save(Convolving(layout), str(folder / f"graph_{layout}"))
    converter = tf.lite.TFLiteConverter.from_keras_model(image(tf_keras))
    (folder / "image.tflite").write_bytes(converter.convert())
    wide = tf_keras.Sequential([tf_keras.layers.Input((64,)), tf_keras.layers.Dense(64)])
    converter = tf.lite.TFLiteConverter.from_keras_model(wide)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    (folder / "dynamic.tflite").write_bytes(converter.convert())

    layers = keras.layers
    keras.Sequential([layers.Input((6,)), Scale(), layers.Dense(3)]).save(folder / "scale.keras")
    dense = tf_keras.layers.Dense(3)
    tf_keras.Sequential([tf_keras.layers.Input((6,)), Twice(), dense]).save(folder / "twice.h5")
    subclassed, legacy = Subclassed(), LegacySubclassed()
    for model in (subclassed, legacy):
        model(np.zeros((2, *SEQUENCE), np.float32))
    subclassed.save(folder / "subclassed.keras")
    legacy.save(folder / "subclassed_saved_model")

    tokens = [layers.Input((5,)), layers.Embedding(9, 4), layers.Flatten(), layers.Dense(3)]
    keras.Sequential(tokens).save(folder / "float_tokens.keras")
    hashed = [layers.Input((5,), dtype="int64"), layers.Hashing(9), *tokens[1:]]
    keras.Sequential(hashed).save(folder / "hashed.keras")
    random = np.random.default_rng(0)
    for kit in (keras, tf_keras):
        model = kit.models.load_model(folder / f"swapped_{kit.__name__}.keras")
        inputs = {name: random.normal(size=(SAMPLES, 4)).astype(np.float32) for name in "ab"}
        np.savez(
            folder / f"swapped_{kit.__name__}.npz",
            **inputs,
            out=model.predict(inputs, verbose=0)["out"],
        )
    np.savez(folder / "tokens.npz", x=random.integers(0, 9, (SAMPLES, 5)))
    shapes = {"vector": (6,), "sequence": SEQUENCE, "image": (8, 8, 1), "first": (1, 8, 8)}
    for name, shape in shapes.items():
        x = random.normal(size=(SAMPLES, *shape)).astype(np.float32)
        np.savez(folder / f"{name}.npz", x=x, y=random.integers(0, 3, SAMPLES))
    np.savez(
        folder / "two.npz",
        left=random.normal(size=(SAMPLES, 6)),
        right=random.normal(size=(SAMPLES, 4)),
        kind=random.integers(0, 3, SAMPLES),
        value=random.normal(size=SAMPLES),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
