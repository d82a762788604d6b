"""Changes layer settings, in place, that prevent conversion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_HALVES = ("float16", "bfloat16")


def nested_layers(model: Any) -> Iterator[Any]:
    """Iterate over the layers of a model of either Keras, nested ones included."""
    for layer in model._flatten_layers(include_self=False):
        yield layer
        # Set by edgepack.compression.keras_port.
        wrapped: Any = getattr(layer, "wrapped_operation", None)
        if hasattr(wrapped, "_flatten_layers"):
            yield from wrapped._flatten_layers()


def compute_in_float32(model: Any) -> None:
    """Make mixed-precision layers compute in float32, the dtype of their weights.

    TensorFlow's converter has no float16 convolutions, and int8 is quantized from float32.
    """
    layers = [model, *nested_layers(model)]
    # A Keras 3 Sequential holds a functional model inside. Both cast their inputs to the dtype that
    # they were built for: that of their input layers and tensors.
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


def unroll_recurrent_layers(model: Any) -> tuple[str, ...]:
    """Unroll recurrent layers, so that they run without a loop; return their names."""
    changed = []
    for layer in nested_layers(model):
        if getattr(layer, "unroll", None) is False:
            layer.unroll = True
            if hasattr(layer, "_could_use_gpu_kernel"):  # tf-keras: the GPU kernel has a loop
                layer._could_use_gpu_kernel = False
            changed.append(layer.name)
    return tuple(dict.fromkeys(changed))
