"""Ports Keras 3 models to tf-keras, where TFMOT can prune them.

The layers that TFMOT prunes are rebuilt in tf-keras from their configuration, with their weights
copied. Everything else (other layers, custom layers, ``keras.ops``) runs unchanged inside a
tf-keras layer that owns its variables, so nothing has to be translated and nothing can be
mistranslated. The result is checked on real inputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from edgepack.core.errors import ModelError, reason
from edgepack.load.keras_model import KerasModel
from edgepack.load.output_difference import TOLERANCE, relative_difference
from edgepack.storage.arrays import Arrays

_CHECKED_SAMPLES = 16
_REBUILT = {
    *("Dense", "Embedding", "SeparableConv1D", "SeparableConv2D"),
    *("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose"),
    *("LSTM", "GRU", "SimpleRNN"),
}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN"}
# Weights are copied, and fine-tuning has its own loss.
_OMITTED_SETTINGS = ("_initializer", "_regularizer", "_constraint")


def port_to_tf_keras(loaded: KerasModel, samples: Arrays) -> KerasModel:
    """Build the tf-keras equivalent of a Keras 3 model, weights included.

    The two are compared on ``samples``, arrays by input of shape (samples, ...). Raises
    :class:`ModelError`, naming the layer, if one cannot be rebuilt, or if an output differs by
    more than :data:`~edgepack.load.output_difference.TOLERANCE`.
    """
    import tf_keras

    porter = _Porter(loaded)
    ported = KerasModel(porter.rebuild(loaded.model), tf_keras, loaded.path)
    for original, layer in porter.rebuilt():
        layer.set_weights(original.get_weights())
    inputs = [np.asarray(array[: _sample_count(loaded)]) for array in samples.values()]
    error = np.max([*map(relative_difference, loaded(*inputs), ported(*inputs))])
    if not error <= TOLERANCE:  # also catches NaN
        raise ModelError(
            f"{loaded.path}: rebuilt in tf-keras for TFMOT, the model's outputs differ by"
            f" {error:.1e} of the largest, more than {TOLERANCE:.0e}:"
            f" {porter.first_mismatch() or 'no single layer'} behaves differently there"
        )
    return ported


def _functional(model: Any) -> Any:
    """Return the graph of a model: a Sequential keeps its own inside."""
    return getattr(model, "_functional", None) or model


def _sample_count(loaded: KerasModel) -> int:
    return loaded.batch or _CHECKED_SAMPLES


class _Porter:
    """Rebuilds a model and the models nested in it; a shared layer stays shared."""

    def __init__(self, loaded: KerasModel) -> None:
        self._loaded = loaded
        self._ported: dict[int, tuple[Any, Any]] = {}

    def rebuild(self, model: Any) -> Any:
        import tf_keras

        graph = _functional(model)
        inputs = [
            tf_keras.layers.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            for tensor in graph.inputs
        ]
        outputs = graph._run_through_graph(inputs, operation_fn=self._caller)
        single = len(inputs) == 1
        return tf_keras.Model(inputs[0] if single else inputs, outputs, name=model.name)

    def rebuilt(self) -> list[tuple[Any, Any]]:
        """Return each rebuilt layer with its counterpart in tf-keras."""
        return [pair for pair in self._ported.values() if _is_rebuilt(pair[0])]

    def first_mismatch(self) -> str | None:
        """Name the first rebuilt layer whose output differs on random inputs, or return None."""
        random = np.random.default_rng(0)
        for original, layer in self.rebuilt():
            kind = type(original).__name__
            shape = [size or 4 for size in original.input.shape]
            inputs = random.normal(size=shape).astype(np.float32)
            if kind == "Embedding":
                inputs = np.zeros(shape, np.int32)
            if not relative_difference(original(inputs), layer(inputs)) <= TOLERANCE:
                return f"layer {original.name!r} ({kind})"
        return None

    def _caller(self, operation: Any) -> Callable[..., Any]:
        layer = self._port(operation)

        def call(*inputs: Any, training: Any = None, **arguments: Any) -> Any:  # noqa: ARG001
            # A Keras 3 graph records the default that training had when it was built; the caller
            # of the model decides instead.
            if not hasattr(layer, "record_call"):
                return layer(*inputs, **arguments)
            tensors, number = layer.record_call(inputs, arguments)
            return layer(tensors, number=number)

        return call

    def _port(self, operation: Any) -> Any:
        if id(operation) not in self._ported:
            self._ported[id(operation)] = (operation, self._build(operation))
        return self._ported[id(operation)][1]

    def _build(self, operation: Any) -> Any:
        if hasattr(_functional(operation), "_run_through_graph"):
            return self.rebuild(operation)
        try:
            return _rebuild(operation) if _is_rebuilt(operation) else _wrap(operation)
        except Exception as error:
            raise ModelError(
                f"{self._loaded.path}: layer {operation.name!r} ({type(operation).__name__}) cannot"
                f" be rebuilt in tf-keras for TFMOT: {reason(error)}"
            ) from error


def _is_rebuilt(operation: Any) -> bool:
    kind = type(operation)
    return kind.__name__ in _REBUILT and kind.__module__.split(".", 1)[0] == "keras"


def _rebuild(layer: Any) -> Any:
    """Build the tf-keras layer of the same name, whose arguments are a subset of Keras 3's."""
    import tf_keras

    kind = getattr(tf_keras.layers, type(layer).__name__)
    parameters = {"name", "trainable"}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters |= set(inspect.signature(base.__init__).parameters)
    config = {
        key: value
        for key, value in layer.get_config().items()
        if key in parameters and not key.endswith(_OMITTED_SETTINGS)
    }
    config["dtype"] = layer.dtype_policy.name
    if type(layer).__name__ not in _RECURRENT and "activation" in config:
        # Some activations of the same name have different formulas in the two Kerases.
        config["activation"] = layer.activation
    return kind(**config)


def _wrap(operation: Any) -> Any:
    """Wrap an operation of Keras 3 in a tf-keras layer that owns its variables."""
    import tensorflow as tf
    import tf_keras

    takes_training = "training" in inspect.signature(operation.call).parameters
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Wrapper(tf_keras.layers.Layer):  # type: ignore[misc]  # untyped base
        """Runs an operation of Keras 3."""

        # On the class: tf-keras would track an attribute of the instance.
        wrapped_operation = operation

        def __init__(self) -> None:
            super().__init__(name=operation.name)
            self.wrapped_variables = [
                variable.value for variable in getattr(operation, "variables", [])
            ]

        def record_call(
            self, inputs: tuple[Any, ...], arguments: dict[str, Any]
        ) -> tuple[list[Any], int]:
            """Record a call's arguments; return its tensors and the number of the call.

            Copying a graph, as TFMOT does, preserves only a single structure of tensors.
            """
            flat = tf.nest.flatten((inputs, arguments))
            calls.append((inputs, arguments))
            return [value for value in flat if _is_symbolic(value)], len(calls) - 1

        def call(self, tensors: Any, number: int, training: bool | None = None) -> Any:
            remaining = iter(tf.nest.flatten(tensors))
            inputs, arguments = tf.nest.map_structure(
                lambda value: next(remaining) if _is_symbolic(value) else value, calls[number]
            )
            if takes_training:
                arguments["training"] = bool(training)
            return operation(*inputs, **arguments)

    return Wrapper()


def _is_symbolic(value: Any) -> bool:
    """Whether a value is a symbolic tensor of a tf-keras graph under construction."""
    return hasattr(value, "_keras_history")
