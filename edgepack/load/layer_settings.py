"""Settings of layers that stand in the way of conversion, changed in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_HALVES = ("float16", "bfloat16")


def walk(model: Any) -> Iterator[Any]:
    """Go through the layers of a model of either Keras, at every depth."""
    for layer in model._flatten_layers(include_self=False):
        yield layer
        adopted: Any = getattr(
            layer, "adopted_operation", None
        )  # see edgepack.compression.keras_port
        if hasattr(adopted, "_flatten_layers"):
            yield from adopted._flatten_layers()


def compute_in_float32(model: Any) -> None:
    """Let layers of mixed precision compute in float32, in which their weights are.

    TensorFlow's converter knows no convolution in float16, and int8 is made from float32.
    """
    layers = [model, *walk(model)]
    # A Sequential of Keras 3 keeps a functional model inside. Both cast what they are given to
    # what they were built on: the dtype of their input layers and tensors.
    layers += [layer._functional for layer in layers if getattr(layer, "_functional", None)]
    for layer in layers:
        for typed in (layer, *(getattr(layer, "inputs", None) or ())):
            if getattr(typed, "_dtype", None) in _HALVES:
                typed._dtype = "float32"
        policy = getattr(layer, "dtype_policy", None)
        if getattr(policy, "compute_dtype", None) in _HALVES:
            if hasattr(layer, "_set_dtype_policy"):  # tf-keras
                layer._set_dtype_policy("float32")
            else:
                layer.dtype_policy = "float32"


def unroll(model: Any) -> tuple[str, ...]:
    """Let recurrent layers compute step by step, without a loop; returns their names."""
    changed = []
    for layer in walk(model):
        if getattr(layer, "unroll", None) is False:
            layer.unroll = True
            if hasattr(layer, "_could_use_gpu_kernel"):  # tf-keras: this one has a loop inside
                layer._could_use_gpu_kernel = False
            changed.append(layer.name)
    return tuple(dict.fromkeys(changed))
