"""Weights of a model's layers, without biases and statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgepack.load.keras_model import KerasModel
from edgepack.tflite.sparsity import Sparsity, measure_sparsity


def layer_weights(layer: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the kernels and embeddings of each nested layer, by path, such as ``encoder/dense``.

    ``path`` is the prefix of the paths.
    """
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        name = f"{path}{inner.name}"
        weights = [
            weight
            for weight in inner.weights
            if "kernel" in weight.name or "embedding" in weight.name
        ]
        if any(inner._flatten_layers(include_self=False, recursive=False)):
            yield from layer_weights(inner, f"{name}/")
        elif weights:
            yield name, weights


def tensorflow_variable(weight: Any) -> Any:
    """Return the TensorFlow variable of a weight; Keras 3 wraps it."""
    import tensorflow as tf

    return weight if isinstance(weight, tf.Variable) else weight.value


def kernel_sparsity(loaded: KerasModel) -> Sparsity:
    """Return the sparsity (fraction of zeros) of each layer's weights."""
    return measure_sparsity(
        {
            name: np.concatenate([np.asarray(weight).ravel() for weight in weights])
            for name, weights in layer_weights(loaded.model)
        }
    )
