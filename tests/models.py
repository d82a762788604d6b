"""Write the small models that the tests export, and data for them, into a folder.

Run as a script, in a process of its own: the tests' process stays free of TensorFlow.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf_keras

SAMPLES = 24


def data(path: Path, shape: tuple[int, ...], classes: int | None = None) -> None:
    """Write seeded normal inputs, and labels if there are classes."""
    random = np.random.default_rng(0)
    arrays = {"x": random.normal(size=(SAMPLES, *shape)).astype(np.float32)}
    if classes:
        arrays["y"] = random.integers(0, classes, SAMPLES)
    np.savez(path, **arrays)


def cnn(kit: object) -> object:
    """Build a classifier of 8 x 8 images, three classes."""
    layers = kit.layers
    return kit.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def main(folder: Path) -> None:
    """Write every model."""
    layers = tf_keras.layers
    sequential = tf_keras.Sequential

    tf_keras.utils.set_random_seed(0)
    cnn(tf_keras).save(folder / "cnn.h5")
    cnn(tf_keras).save(folder / "cnn_legacy.keras")
    cnn(tf_keras).save(folder / "cnn_saved_model")
    keras.utils.set_random_seed(0)
    cnn(keras).save(folder / "cnn3.keras")
    cnn(keras).save(folder / "cnn3.h5")
    data(folder / "cnn.npz", (8, 8, 1), classes=3)

    dense = sequential([layers.Input((6,)), layers.Dense(8, "relu"), layers.Dense(6)])
    dense.save(folder / "autoencoder.h5")
    data(folder / "vector.npz", (6,))
    sequential([layers.Input((6,)), layers.Dense(1, "sigmoid")]).save(folder / "binary.h5")
    sequential([layers.Input((6,)), layers.Dense(4, "gelu")]).save(folder / "gelu.h5")
    sequential([layers.Input((6,)), layers.BatchNormalization()]).save(folder / "unprunable.h5")
    sequential([layers.Input((10, 4)), layers.LSTM(8), layers.Dense(3)]).save(folder / "lstm.h5")
    data(folder / "sequence.npz", (10, 4))
    sequential(
        [layers.Input((None, None, 1)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    ).save(folder / "open.h5")

    first, second = layers.Input((6,)), layers.Input((6,))
    tf_keras.Model([first, second], layers.Add()([first, second])).save(folder / "two.h5")
    tokens = layers.Input((5,), dtype="int32")
    embedded = layers.Flatten()(layers.Embedding(20, 4)(tokens))
    tf_keras.Model(tokens, layers.Dense(3)(embedded)).save(folder / "tokens.h5")

    flat = layers.Input((6,))
    tf_keras.Model(flat, flat[:, 0]).save(folder / "scalar.h5")
    broken = sequential([layers.Input((6,)), layers.Dense(2)])
    broken.layers[0].set_weights([np.full((6, 2), np.nan), np.zeros(2)])
    broken.save(folder / "nan.h5")
    logit = sequential([layers.Input((6,)), layers.Dense(1)])
    logit.layers[0].set_weights([np.ones((6, 1)), np.zeros(1)])
    logit.save(folder / "logit.h5")
    sequence = sequential(
        [layers.Input((10, 4)), layers.TimeDistributed(layers.Dense(5)), layers.Flatten()]
    )
    sequence.add(layers.Dense(3, "softmax"))
    sequence.save(folder / "time_distributed.h5")

    class Writer(tf.Module):
        """A module that writes a file when it is loaded."""

        @tf.function(input_signature=[tf.TensorSpec((None, 6), tf.float32)])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            tf.io.write_file("written", "by the model")
            return x

    tf.saved_model.save(Writer(), str(folder / "writer"))

    unsafe(folder, dense)
    loop(folder)
    residual(folder)
    states(folder)


def loop(folder: Path) -> None:
    """Write a .tflite file with a loop in it."""
    layers, sequential = tf_keras.layers, tf_keras.Sequential
    converter = tf.lite.TFLiteConverter.from_keras_model(
        sequential([layers.Input((10, 4), batch_size=1), layers.GRU(4), layers.Dense(3)])
    )
    (folder / "loop.tflite").write_bytes(converter.convert())


def states(folder: Path) -> None:
    """Write an LSTM that keeps its state, one whose state is passed, and data for both."""
    layers = tf_keras.layers
    state = [layers.Input((8,), batch_size=1, name=name) for name in "hc"]
    steps = layers.Input((4, 3), batch_size=1, name="steps")
    kept = layers.Dense(2)(layers.LSTM(8, stateful=True, name="lstm")(steps))
    tf_keras.Model(steps, kept).save(folder / "stateful.h5")
    scores, *after = layers.LSTM(8, return_state=True)(steps, initial_state=state)
    tf_keras.Model([steps, *state], [layers.Dense(2)(scores), *after]).save(folder / "states.h5")
    random = np.random.default_rng(0)
    shapes = {"steps": (4, 3), "h": (8,), "c": (8,)}
    arrays = {name: random.uniform(-1, 1, (SAMPLES, *shape)) for name, shape in shapes.items()}
    np.savez(folder / "states.npz", **{key: x.astype(np.float32) for key, x in arrays.items()})
    np.savez(folder / "steps.npz", x=arrays["steps"].astype(np.float32))


def residual(folder: Path) -> None:
    """Write a network with a shortcut, whose ADD interpreters compute in place."""
    layers = tf_keras.layers
    image = layers.Input((8, 8, 1), name="image")
    stem = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(image)
    branch = layers.Conv2D(8, 3, padding="same", name="branch")(stem)
    shortcut = layers.Conv2D(8, 1, name="shortcut")(stem)
    joined = layers.ReLU()(layers.Add(name="join")([shortcut, branch]))
    pooled = layers.Flatten()(layers.AveragePooling2D(8, name="pool")(joined))
    scores = layers.Dense(3, "softmax", name="scores")(pooled)
    tf_keras.Model(image, scores).save(folder / "residual.h5")


def unsafe(folder: Path, dense: object) -> None:
    """Write what holds no model, or would run code of its own."""
    layers, sequential = tf_keras.layers, tf_keras.Sequential
    dense.save_weights(folder / "weights.h5")
    code = sequential([layers.Input((6,)), layers.Lambda(lambda x: x * 2)])
    code.save(folder / "lambda.h5")
    code.save(folder / "lambda.keras")
    code.save(folder / "lambda_saved_model")
    with zipfile.ZipFile(folder / "cnn_legacy.keras") as source:
        config = json.loads(source.read("config.json"))
        config["config"]["layers"][1]["config"]["activation"] = {
            "module": "os",
            "class_name": "function",
            "config": "system",
            "registered_name": "system",
        }
        with zipfile.ZipFile(folder / "foreign.keras", "w") as target:
            for name in source.namelist():
                content = json.dumps(config) if name == "config.json" else source.read(name)
                target.writestr(name, content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
