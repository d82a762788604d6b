"""The weights of a model's layers, biases and statistics left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgepack.load.keras_model import KerasModel
from edgepack.tflite.sparsity import Sparsity, measure


def kernels(layer: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Find the weights of the layers inside a layer, by their path, such as ``encoder/dense``."""
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        name = f"{path}{inner.name}"
        weights = [
            weight
            for weight in inner.weights
            if "kernel" in weight.name or "embedding" in weight.name
        ]
        if any(inner._flatten_layers(include_self=False, recursive=False)):
            yield from kernels(inner, f"{name}/")
        elif weights:
            yield name, weights


def variable(weight: Any) -> Any:
    """Find TensorFlow's variable in a weight: Keras 3 wraps it."""
    import tensorflow as tf

    return weight if isinstance(weight, tf.Variable) else weight.value


def kernel_sparsity(loaded: KerasModel) -> Sparsity:
    """Measure the zeros among the weights of each layer."""
    return measure(
        {
            name: np.concatenate([np.asarray(weight).ravel() for weight in weights])
            for name, weights in kernels(loaded.model)
        }
    )
