"""Prune small models by every method, and print the resulting weights as JSON.

Run as a script, in a process of its own, as the TensorFlow worker would; it has two devices.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from edgepack.compression.pruning.prune import prune
from edgepack.compression.pruning.settings import Prune, Pruning
from edgepack.compression.technique import CompressionTask
from edgepack.compression.training.strategy import create_strategy
from edgepack.compression.training.task import Training
from edgepack.compression.weights import layer_weights
from edgepack.config.compression_step import FineTune, Schedule
from edgepack.core.errors import EdgepackError
from edgepack.load.keras_model import KerasModel
from edgepack.metrics import Loss

SAMPLES = 96


def cnn(kit: Any) -> Any:
    """Build a classifier with layers that TFMOT supports and some that it does not."""
    layers = kit.layers
    inner = kit.Sequential([layers.Input((4,)), layers.Dense(8, name="inside")], name="nested")
    return kit.Sequential(
        [
            *(layers.Input((6, 6, 4)), layers.Rescaling(0.5), layers.Conv2D(4, 3, name="conv")),
            *(layers.DepthwiseConv2D(3, name="depthwise"), layers.GlobalAveragePooling2D()),
            *(inner, layers.Dense(3, "softmax", name="scores")),
        ]
    )


def two(kit: Any) -> Any:
    """Build a model with two inputs and two outputs."""
    layers = kit.layers
    left, right = layers.Input((6,), name="left"), layers.Input((4,), name="right")
    hidden = layers.Dense(16, "relu", name="hidden")(layers.Concatenate()([left, right]))
    return kit.Model(
        {"left": left, "right": right},
        {
            "kind": layers.Dense(3, "softmax", name="scores")(hidden),
            "value": layers.Dense(1, name="value")(hidden),
        },
    )


def one_trained(kit: Any) -> Any:
    """Build the same model, to be trained for one output only."""
    return two(kit)


def subclassed(kit: Any) -> Any:
    """Build a model whose layers are called by code."""

    class Subclassed(kit.Model):  # type: ignore[misc]  # untyped base
        """Two layers."""

        def __init__(self) -> None:
            super().__init__()
            self.first = kit.layers.Conv2D(4, 3, name="conv")
            self.flat = kit.layers.Flatten()
            self.second = kit.layers.Dense(3, "softmax", name="scores")

        def call(self, inputs: Any) -> Any:
            """Run the layers."""
            return self.second(self.flat(self.first(inputs)))

    model = Subclassed()
    model(np.zeros((2, 6, 6, 4), np.float32))
    return model


def noisy(kit: Any) -> Any:
    """Build a graph whose outputs differ on every call, so that it cannot be ported."""

    class Noise(kit.layers.Layer):  # type: ignore[misc]  # untyped base
        """Adds noise, in inference too."""

        def call(self, inputs: Any) -> Any:
            """Add noise."""
            return inputs + tf.random.normal(tf.shape(inputs))

    layers = kit.layers
    return kit.Sequential([layers.Input((6,)), Noise(), layers.Dense(3, name="scores")])


def data(model: KerasModel) -> tuple[dict[str, Any], dict[str, Any], dict[str, Loss]]:
    """Return inputs, labels that can be learnt from them, and the loss of each output."""
    random = np.random.default_rng(0)
    inputs = {
        spec.name: random.normal(size=(SAMPLES, *spec.shape)).astype(np.float32)
        for spec in model.signature.inputs
    }
    first = next(iter(inputs.values())).reshape(SAMPLES, -1)
    labels, losses = {}, {}
    for spec in model.signature.outputs:
        is_class = spec.shape == (3,)
        labels[spec.name] = first[:, :3].argmax(axis=1) if is_class else first[:, :1]
        losses[spec.name] = Loss.CROSS_ENTROPY if is_class else Loss.MEAN_SQUARED_ERROR
    return inputs, labels, losses


def result(build: Callable[[Any], Any], kit: Any, settings: Prune) -> dict[str, Any]:
    """Prune a model; return the record, the weights of each layer, and the progress messages."""

    def load() -> KerasModel:
        kit.utils.set_random_seed(0)
        return KerasModel(build(kit), kit, Path("model"))

    original = load()
    inputs, labels, losses = data(original)
    if build is one_trained:
        del labels["value"], losses["value"]
    training = settings.fine_tune and Training(
        source="train.npz",
        inputs=inputs,
        labels=labels,
        losses=losses,
        settings=settings.fine_tune,
        compiled={"optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.05}}},
        fingerprint="",
    )
    progress: list[str] = []

    def update(done: int, total: int, detail: str = "") -> None:
        progress.append(f"{done}/{total} {detail}")

    try:
        task = CompressionTask(
            model=original, copy=load, samples=inputs, training=training, update=update
        )
        compressed = prune(task, settings)
    except EdgepackError as error:
        return {"error": str(error)}
    model, pruning = compressed.model, compressed.record
    assert isinstance(model, KerasModel)
    assert isinstance(pruning, Pruning)
    return {
        "way": pruning.way,
        "why": pruning.why_not_carried,
        "left_out": pruning.left_out,
        "trained": pruning.trained and vars(pruning.trained),
        "weights": {
            name: np.asarray(weights[0]).tolist() for name, weights in layer_weights(model.model)
        },
        "original": {
            name: np.asarray(weights[0]).tolist() for name, weights in layer_weights(original.model)
        },
        "progress": progress,
    }


def tuned(epochs: int = 6, **settings: Any) -> FineTune:
    """Return settings to fine-tune for some epochs of three steps each."""
    return FineTune(epochs=epochs, **settings)


def main() -> None:
    """Print the result of each case."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    half = Prune(sparsity=0.5)
    cases = {
        "one shot": (cnn, half),
        "patterns": (
            cnn,
            Prune(sparsity=0.5, layers=(("*", 0.75), ("conv", 0), ("nested/*", 0.25))),
        ),
        "unknown pattern": (cnn, Prune(layers=(("convolution", 0.5),))),
        "2 of 4": (cnn, Prune(n_of_m=(2, 4))),
        "2 of 4, trained": (cnn, Prune(n_of_m=(2, 4), fine_tune=tuned())),
        "blocks": (cnn, Prune(sparsity=0.5, block=(4, 1))),
        "threshold": (cnn, Prune(threshold=0.2, layers=(("scores", 0),))),
        "trained": (cnn, Prune(sparsity=0.5, fine_tune=tuned())),
        "constant": (
            cnn,
            Prune(
                sparsity=0.5,
                fine_tune=tuned(schedule=Schedule(kind="constant", begin_step=2, end_step=9)),
            ),
        ),
        "frequency": (
            cnn,
            Prune(
                sparsity=0.8,
                fine_tune=tuned(schedule=Schedule(begin_step=4, end_step=10, frequency=3)),
            ),
        ),
        "ends too early": (
            cnn,
            Prune(sparsity=0.5, fine_tune=tuned(schedule=Schedule(end_step=100))),
        ),
        "patient": (
            cnn,
            Prune(
                sparsity=0.5,
                fine_tune=tuned(
                    60, patience=2, learning_rate=1e-9, schedule=Schedule(end_step=6, frequency=2)
                ),
            ),
        ),
        "optimizer": (cnn, Prune(fine_tune=tuned(optimizer="AdamW", learning_rate=0.002))),
        "unknown optimizer": (cnn, Prune(fine_tune=tuned(optimizer="adem"))),
        "loss": (cnn, Prune(fine_tune=tuned(loss="categorical_crossentropy"))),
        "unknown loss": (cnn, Prune(fine_tune=tuned(loss="crossentropy"))),
        "distilled": (cnn, Prune(fine_tune=tuned(loss="distillation"))),
        "two": (two, half),
        "two, trained": (two, Prune(sparsity=0.5, fine_tune=tuned())),
        "two, one trained": (one_trained, Prune(sparsity=0.5, fine_tune=tuned())),
        "two, distilled": (two, Prune(sparsity=0.5, fine_tune=tuned(loss="distillation"))),
        "noisy": (noisy, half),
        "subclassed": (subclassed, half),
        "subclassed, trained": (subclassed, Prune(sparsity=0.5, fine_tune=tuned())),
        "mirrored": (cnn, Prune(sparsity=0.5, fine_tune=tuned(strategy="mirrored"))),
        "subclassed, mirrored": (
            subclassed,
            Prune(sparsity=0.5, fine_tune=tuned(strategy="mirrored")),
        ),
    }
    results: dict[str, Any] = {
        f"{kit.__name__}: {name}": result(build, kit, settings)
        for kit in (keras, tf_keras)
        for name, (build, settings) in cases.items()
    }
    results["replicas"] = create_strategy("mirrored").num_replicas_in_sync
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
