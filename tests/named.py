"""Convert models of every kind, and print which operators their layers' names reach, as JSON.

Writes a model and data for the command line into a folder, if it is given one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import keras
import numpy as np
import tf_keras

from edgepack.compression.keras_port import port_to_tf_keras
from edgepack.conversion.to_tflite import to_float_tflite
from edgepack.load.keras_model import KerasModel
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import read_tflite

SHAPE = (6, 6, 2)


def plain(kit: Any) -> Any:
    """Build a Sequential whose layers have the names that both Kerases give them."""
    make = kit.layers
    return kit.Sequential(
        [
            make.Input(SHAPE),
            make.Conv2D(2, 3, name="conv2d"),
            make.Conv2D(2, 3, activation="relu", name="conv2d_1"),
            make.Flatten(name="flatten"),
            make.Dense(3, name="dense"),
            make.Dense(2, name="dense_1"),
        ]
    )


def nested(kit: Any) -> Any:
    """Build a model with a layer that is called twice, and models in it with layers of one name."""
    make = kit.layers
    inputs = make.Input((4,))
    shared = make.Dense(4, activation="relu", name="dense")
    inner = kit.Sequential([make.Input((4,)), make.Dense(4, name="dense_1")], name="backbone")
    twice = shared(make.Dense(4, name="dense_1")(shared(inputs)))
    first = make.Add(name="add")([twice, inner(inputs)])
    second = make.Add(name="add_1")([first, twice])
    return kit.Model(inputs, make.Dense(2, name="last")(second))


def recurrent(kit: Any) -> Any:
    make = kit.layers
    layers = [make.Input((2, 3)), make.LSTM(2, name="lstm"), make.Dense(2, name="dense")]
    return kit.Sequential(layers)


def subclassed(kit: Any) -> Any:
    """Build a model whose layers are called by code, some of them in a scope of its own."""
    import tensorflow as tf

    class Own(kit.Model):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            super().__init__(name="own")
            self.convolutions = [
                kit.layers.Conv2D(2, 3, name=name) for name in ("conv2d", "conv2d_1")
            ]
            self.flatten = kit.layers.Flatten(name="flatten")
            self.dense = kit.layers.Dense(2, name="dense")

        def call(self, inputs: Any) -> Any:
            with tf.name_scope("encoder"):
                for convolution in self.convolutions:
                    inputs = convolution(inputs)
            return self.dense(self.flatten(inputs))

    model = Own()
    model(np.zeros((1, *SHAPE), np.float32))
    return model


KINDS = {
    plain: ["conv2d", "conv2d_1", "flatten", "dense", "dense_1"],
    nested: ["dense", "dense_1", "backbone", "backbone/dense_1", "add", "add_1", "last"],
    recurrent: ["lstm", "dense"],
    subclassed: ["conv2d", "conv2d_1", "flatten", "dense"],
}
"""What builds the models, with names of their layers."""


def reached(model: KerasModel, layers: list[str]) -> dict[str, Any]:
    """Convert a model; return the names of its operators, and those that each layer reaches."""
    random = np.random.default_rng(0)
    samples = [random.normal(size=(4, *spec.shape)) for spec in model.signature.inputs]
    tflite = to_float_tflite(model, [array.astype(np.float32) for array in samples]).tflite
    graph = read_tflite(tflite).main
    names = layer_names(graph)
    operators = {graph.tensors[each.outputs[0]].name: each for each in graph.operators}
    found = {}
    for layer in layers:
        assigned = assign_patterns(graph, "int8", [(layer, "int16")])
        outputs = [operators[key].outputs[0] for key in assigned if assigned[key] == "int16"]
        found[layer] = [names[index] for index in outputs]
    return {
        "operators": [names[operator.outputs[0]] for operator in graph.operators],
        "layers": found,
    }


def results() -> Iterator[tuple[str, Any]]:
    keras.utils.set_random_seed(0)
    for make, layers in KINDS.items():
        name = make.__name__
        for kit in (keras, tf_keras):
            loaded = KerasModel(make(kit), kit, Path(name))
            yield f"{kit.__name__}: {name}", reached(loaded, layers)
            if kit is keras and make in (plain, nested):
                (spec,) = loaded.signature.inputs
                samples = {spec.name: np.ones((2, *spec.shape), np.float32)}
                yield f"ported: {name}", reached(port_to_tf_keras(loaded, samples), layers)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        keras.utils.set_random_seed(0)
        plain(keras).save(folder / "plain.keras")
        np.savez(folder / "data.npz", x=np.random.default_rng(0).normal(size=(8, *SHAPE)))
    else:
        print(json.dumps(dict(results())))  # noqa: T201 (told_by reads it)
