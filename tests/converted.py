"""Convert models that are easily changed by it, and print what came of each, as JSON.

Writes the models that the command line is tried on into a folder, if it is given one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from own_layers import LegacyTraced, Traced

from edgepack.conversion.same_outputs import require_same_outputs
from edgepack.conversion.to_tflite import to_float_tflite
from edgepack.core.errors import EdgepackError
from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import nested_layers, unrolled
from edgepack.load.loaded_model import TensorFlowModel
from edgepack.load.output_difference import relative_difference
from edgepack.load.saved_function import SavedFunction

STEPS, TOKENS, SAMPLES = 3, 9, 40
RANDOM = np.random.default_rng(0)


def tokens() -> Any:
    """Make sentences of different lengths, padded with zeros."""
    sentences = RANDOM.integers(1, TOKENS, (SAMPLES, STEPS)).astype(np.int32)
    for sentence in sentences:
        sentence[RANDOM.integers(1, STEPS + 1) :] = 0
    return sentences


def recurrent(kit: Any) -> Any:
    """Build a model of recurrent layers in the settings that masks matter to, each an output."""
    layers = kit.layers
    inputs = kit.Input((STEPS,), dtype="int32", name="tokens")
    embedded = layers.Embedding(TOKENS, 3, mask_zero=True)(inputs)
    outputs = []
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        make = getattr(layers, kind)
        for sequences, backwards in product((False, True), repeat=2):
            zeros = {"zero_output_for_mask": not sequences}
            one = make(2, return_sequences=sequences, go_backwards=backwards, **zeros)
            outputs.append(one(embedded))
        both = make(2, return_sequences=True, return_state=True)  # zeros masked steps
        hidden, *states = layers.Bidirectional(both)(embedded)
        outputs += [hidden, *states, make(2)(hidden)]
    cells = [layers.LSTMCell(2), layers.GRUCell(2)]
    stacked = layers.RNN(cells, return_sequences=True, go_backwards=True, zero_output_for_mask=True)
    unmasked = layers.Bidirectional(layers.GRU(2))(layers.Embedding(TOKENS, 3)(inputs))
    return kit.Model(inputs, [*outputs, stacked(embedded), unmasked])


def settings(model: Any) -> list[Any]:
    """Return what recurrent layers are set to, and what their methods are replaced with."""
    names = ("unroll", "zero_output_for_mask", "_could_use_gpu_kernel")
    return [
        [getattr(layer, name, None) for name in names] + [vars(layer).get("call")]
        for layer in nested_layers(model)
    ]


def convert(loaded: KerasModel, inputs: list[Any]) -> tuple[str, Any]:
    """Convert a model; returns the message of the error, and what was not compared."""
    try:
        return "", dict(to_float_tflite(loaded, inputs).not_compared)
    except EdgepackError as error:
        return str(error), None


def recurrent_results() -> Iterator[tuple[str, Any]]:
    """Unroll every kind of recurrent layer; tell how outputs differ, and what is left of it."""
    for kit in (keras, tf_keras):
        model, inputs = recurrent(kit), [tokens()]
        loaded = KerasModel(model, kit, Path("recurrent"))
        before, as_set = [np.asarray(each) for each in loaded(*inputs)], settings(model)
        with unrolled(model):
            without_loops = loaded(*inputs)
        after = [np.asarray(each) for each in loaded(*inputs)]
        yield (
            kit.__name__,
            {
                "difference": max(map(relative_difference, before, without_loops)),
                "is_same": all(map(np.array_equal, before, after)) and settings(model) == as_set,
            },
        )


class Noise(tf_keras.layers.Layer):
    """Draws a random number for each value, also in inference."""

    def call(self, inputs: Any) -> Any:
        return inputs + tf.random.normal(tf.shape(inputs))


class Across(keras.layers.Layer):
    """Computes something of all samples of a batch."""

    def call(self, inputs: Any) -> Any:
        return inputs - keras.ops.mean(inputs, axis=0)


def rounded() -> KerasModel:
    """Return a model whose output is rounding alone: two sums of the same products, subtracted."""
    inputs, weights = tf_keras.Input((64,)), RANDOM.normal(size=(64, 1)).astype(np.float32)
    one, other = (tf_keras.layers.Dense(1, use_bias=False) for _ in range(2))
    model = tf_keras.Model(inputs, one(inputs) - other(inputs[:, ::-1]))
    one.set_weights([weights])
    other.set_weights([weights[::-1]])
    return KerasModel(model, tf_keras, Path("rounded"))


def other_results() -> Iterator[tuple[str, Any]]:
    """Convert other models whose outputs are hard to compare."""
    x = RANDOM.normal(size=(SAMPLES, 6)).astype(np.float32)
    layers, inputs = tf_keras.layers, tf_keras.Input((6,))
    sure = layers.Dense(2, name="sure")(inputs)
    random = Noise(name="random")(layers.Dense(2)(inputs))
    noisy = KerasModel(tf_keras.Model(inputs, [sure, random]), tf_keras, Path("noisy"))
    yield "noisy", convert(noisy, [x])
    yield "not finite", convert(noisy, [np.full_like(x, np.inf)])
    yield "rounded", convert(rounded(), [RANDOM.normal(size=(SAMPLES, 64)).astype(np.float32)])
    hidden = layers.Dense(3)(inputs)
    chosen = tf.argmax(hidden, axis=-1)[:, None]
    integers = tf_keras.Model(inputs, [chosen, tf.cast(hidden > 0, tf.int32), hidden * 0.0])
    yield "integers", convert(KerasModel(integers, tf_keras, Path("integers")), [x])
    for name, batch in (("any batch", None), ("batch of one", 1)):
        inputs = keras.Input((6,), batch_size=batch)
        model = keras.Model(inputs, keras.layers.Dense(3)(Across()(inputs)))
        yield name, convert(KerasModel(model, keras, Path(name)), [x])


def hold(loaded: TensorFlowModel, other: TensorFlowModel, x: Any) -> str:
    """Hold the .tflite of another model against a model; returns the message of the error."""
    try:
        require_same_outputs(loaded, to_float_tflite(other, [x]).tflite, [x])
    except EdgepackError as error:
        return str(error)
    return ""


def held_results() -> Iterator[tuple[str, Any]]:
    """Hold models against files that differ from them on purpose."""
    x = RANDOM.normal(size=(SAMPLES, 6)).astype(np.float32)
    with TemporaryDirectory() as folder:
        saved = []
        for name in ("one", "two"):
            tf.saved_model.save(Plain(), path := str(Path(folder) / name))
            saved.append(SavedFunction(Path(path)))
        yield "saved functions", hold(*saved, x)
    layers, inputs = tf_keras.layers, tf_keras.Input((6,))
    hidden = layers.Dense(4, name="first")(inputs)
    flipped = tf_keras.Model(inputs, tf.cast(hidden > 0, tf.int32))
    always = tf_keras.Model(inputs, tf.cast(hidden > -1e6, tf.int32))
    wide = tf_keras.Model(inputs, tf.cast(layers.Dense(5)(inputs) > 0, tf.int32))
    loaded = [KerasModel(each, tf_keras, Path("ints")) for each in (flipped, always, wide)]
    yield "integers differ", hold(loaded[0], loaded[1], x)
    yield "shapes differ", hold(loaded[0], loaded[2], x)


class Plain(tf.Module):
    """A module with a signature, random weights, and nothing of Keras."""

    def __init__(self) -> None:
        self.weights = tf.Variable(RANDOM.normal(size=(6, 3)), dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, 6), tf.float32, name="features")])
    def __call__(self, features: Any) -> Any:
        return {"scores": features @ self.weights}


def traced(kit: Any) -> Any:
    """Build a model with a layer, inside another model, that conversion changes."""
    layers, own = kit.layers, Traced if kit is keras else LegacyTraced
    image = kit.Input((8, 8, 2))
    hidden = layers.BatchNormalization()(layers.Conv2D(3, 3, name="first")(image))
    inner = [layers.Input((6, 6, 3)), layers.Conv2D(3, 3, activation="relu"), own(name="traced")]
    hidden = kit.Sequential([*inner, layers.DepthwiseConv2D(3)], name="inner")(hidden)
    return kit.Model(image, layers.Dense(3, "softmax")(layers.Flatten()(hidden)))


def write(folder: Path) -> None:
    """Write models and data for the command line."""
    for kit in (keras, tf_keras):
        kit.utils.set_random_seed(1)
        traced(kit).save(folder / f"traced_{kit.__name__}.keras")
    np.savez(folder / "image.npz", x=RANDOM.normal(size=(SAMPLES, 8, 8, 2)).astype(np.float32))
    converter = tf.lite.TFLiteConverter.from_keras_model(traced(tf_keras))
    (folder / "traced.tflite").write_bytes(converter.convert())
    layers, inputs = keras.layers, keras.Input((STEPS,), dtype="int32", name="tokens")
    hidden = layers.Embedding(TOKENS, 3, mask_zero=True)(inputs)
    hidden = layers.LSTM(4)(layers.Bidirectional(layers.LSTM(4, return_sequences=True))(hidden))
    model = keras.Model(inputs, layers.Dense(4)(hidden))
    # Weights of a trained model are larger, and so is what masks decide.
    model.set_weights([RANDOM.normal(size=each.shape) * 2 for each in model.get_weights()])
    model.save(folder / "masked.keras")
    sentences = tokens()
    labels = model.predict(sentences, verbose=0).argmax(axis=1)
    np.savez(folder / "sentences.npz", tokens=sentences, y=labels)


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        results = [*recurrent_results(), *other_results(), *held_results()]
        print(json.dumps(dict(results)))  # noqa: T201 (told_by reads it)
