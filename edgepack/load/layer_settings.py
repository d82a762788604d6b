"""Changes layer settings that prevent conversion."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


def compute_in_float32(model: Any) -> tuple[str, ...]:
    """Make mixed-precision layers compute in float32, the dtype of their weights.

    TensorFlow's converter has no float16 convolutions, and int8 is quantized from float32. Returns
    the dtypes that were replaced. Outputs lose the rounding to these: in a small classifier they
    change by 5e-4 of the largest for float16, and by 3e-3 for bfloat16.
    """
    replaced = set()
    layers = [model, *nested_layers(model)]
    # A Keras 3 Sequential holds a functional model inside. Both cast their inputs to the dtype that
    # they were built for: that of their input layers and tensors.
    layers += [layer._functional for layer in layers if getattr(layer, "_functional", None)]
    for layer in layers:
        for typed in (layer, *(getattr(layer, "inputs", None) or ())):
            if getattr(typed, "_dtype", None) in _HALVES:
                typed._dtype = "float32"
        policy = getattr(layer, "dtype_policy", None)
        if (dtype := getattr(policy, "compute_dtype", None)) in _HALVES:
            replaced.add(str(dtype))
            if hasattr(layer, "_set_dtype_policy"):  # tf-keras
                layer._set_dtype_policy("float32")
            else:
                layer.dtype_policy = "float32"
    return tuple(sorted(replaced))


@contextmanager
def unrolled(model: Any) -> Iterator[tuple[str, ...]]:
    """Unroll recurrent layers within a context, so that they are traced without a loop.

    Yields their names. Outside, the model is as it was given.
    """
    layers = {id(layer): layer for layer in nested_layers(model)}.values()
    rolled = [layer for layer in layers if getattr(layer, "unroll", None) is False]
    with ExitStack() as stack:
        for layer in rolled:
            stack.enter_context(_unrolled_layer(layer))
        yield tuple(dict.fromkeys(layer.name for layer in rolled))


@contextmanager
def _unrolled_layer(layer: Any) -> Iterator[None]:
    settings: dict[str, Any] = {"unroll": True}
    if hasattr(layer, "_could_use_gpu_kernel"):  # tf-keras: the GPU kernel has a loop
        settings["_could_use_gpu_kernel"] = False
    zeroes = getattr(layer, "zero_output_for_mask", False)
    if zeroes:
        settings["zero_output_for_mask"] = False
    before = {name: getattr(layer, name) for name in settings}
    for name, value in settings.items():
        setattr(layer, name, value)
    if zeroes:
        vars(layer)["call"] = _zeroing_masked_steps(layer)  # hides the method of the class
    try:
        yield
    finally:
        if zeroes:
            del vars(layer)["call"]
        for name, value in before.items():
            setattr(layer, name, value)


def _zeroing_masked_steps(layer: Any) -> Callable[..., Any]:
    """Return the ``call`` of a recurrent layer, with zeros where its steps are masked.

    A loop does that step by step. Unrolled, both Kerases zero the outputs afterwards, with the mask
    in the order of the inputs, even if the outputs are in reverse order; and tf-keras fails if only
    the last output is returned.
    """
    import tensorflow as tf

    call = layer.call
    signature = inspect.signature(call)
    axis = 0 if getattr(layer, "time_major", False) else 1

    def zeroing(*args: Any, **kwargs: Any) -> Any:
        results = call(*args, **kwargs)
        mask = signature.bind(*args, **kwargs).arguments.get("mask")
        if mask is None:
            return results
        output, *states = results if layer.return_state else [results]
        steps = tf.unstack(tf.cast(tf.nest.flatten(mask)[0], tf.bool), axis=axis)
        if layer.go_backwards:
            steps.reverse()
        kept = tf.stack(steps, axis=axis) if layer.return_sequences else steps[-1]
        for _ in range(len(output.shape) - len(kept.shape)):
            kept = tf.expand_dims(kept, -1)
        output = tf.where(kept, output, tf.zeros_like(output))
        return type(results)([output, *states]) if layer.return_state else output

    return zeroing
