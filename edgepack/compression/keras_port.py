"""Keras 3 models in tf-keras, where TFMOT can prune them.

The layers that TFMOT prunes are rebuilt in tf-keras from their configuration, with their weights
copied. Everything else (other layers, layers of one's own, ``keras.ops``) runs as it is, inside a
tf-keras layer that owns its variables: nothing has to be translated, so nothing can be translated
wrongly. The result is checked on real inputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from edgepack.core.errors import ModelError, reason
from edgepack.load.keras_model import KerasModel
from edgepack.storage.arrays import Arrays

TOLERANCE = 1e-5
"""Largest difference of an output, as a fraction of the largest output: float32 rounding."""

_CHECKED_SAMPLES = 16
_REBUILT = {
    *("Dense", "Embedding", "SeparableConv1D", "SeparableConv2D"),
    *("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose"),
    *("LSTM", "GRU", "SimpleRNN"),
}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN"}
# Weights are copied, and fine-tuning has its own loss.
_LEFT_OUT = ("_initializer", "_regularizer", "_constraint")


def port_to_tf_keras(loaded: KerasModel, samples: Arrays) -> KerasModel:
    """Build the tf-keras equal of a Keras 3 model, weights included.

    ``samples``, by input, shape (samples, ...), are what the two are compared on. Raises
    :class:`ModelError`, naming the layer, if one cannot be rebuilt, or if an output differs by
    more than :data:`TOLERANCE`.
    """
    import tf_keras

    carrier = _Carrier(loaded)
    carried = KerasModel(carrier.rebuild(loaded.model), tf_keras, loaded.path)
    for original, layer in carrier.rebuilt():
        layer.set_weights(original.get_weights())
    checked = [np.asarray(array[: _checked(loaded)]) for array in samples.values()]
    error = max(map(_difference, loaded(*checked), carried(*checked)))
    if not error <= TOLERANCE:  # nor if it is no number
        raise ModelError(
            f"{loaded.path}: rebuilt in tf-keras for TFMOT, the model's outputs differ by"
            f" {error:.1e} of the largest, more than {TOLERANCE:.0e}:"
            f" {carrier.culprit() or 'no single layer'} is not the same there"
        )
    return carried


def _functional(model: Any) -> Any:
    """Find the graph of a model: a Sequential keeps its own inside."""
    return getattr(model, "_functional", None) or model


def _checked(loaded: KerasModel) -> int:
    return loaded.batch or _CHECKED_SAMPLES


def _difference(wanted: Any, found: Any) -> float:
    wanted, found = np.asarray(wanted), np.asarray(found)
    scale = float(np.abs(wanted).max())
    return float(np.abs(wanted - found).max()) / (scale or 1.0)


class _Carrier:
    """Rebuilds a model and the models nested in it; a shared layer stays shared."""

    def __init__(self, loaded: KerasModel) -> None:
        self._loaded = loaded
        self._carried: dict[int, tuple[Any, Any]] = {}

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
        """Pair each layer that was rebuilt with its namesake in tf-keras."""
        return [pair for pair in self._carried.values() if _is_rebuilt(pair[0])]

    def culprit(self) -> str | None:
        """Name the first rebuilt layer whose output differs on random inputs of its own."""
        random = np.random.default_rng(0)
        for original, layer in self.rebuilt():
            kind = type(original).__name__
            shape = [size or 4 for size in original.input.shape]
            inputs = random.normal(size=shape).astype(np.float32)
            if kind == "Embedding":
                inputs = np.zeros(shape, np.int32)
            if not _difference(original(inputs), layer(inputs)) <= TOLERANCE:
                return f"layer {original.name!r} ({kind})"
        return None

    def _caller(self, operation: Any) -> Callable[..., Any]:
        layer = self._carry(operation)

        def call(*inputs: Any, training: Any = None, **arguments: Any) -> Any:  # noqa: ARG001
            # A graph of Keras 3 records the default that training had when it was built; whoever
            # calls the model decides.
            if not hasattr(layer, "adopt_call"):
                return layer(*inputs, **arguments)
            tensors, number = layer.adopt_call(inputs, arguments)
            return layer(tensors, number=number)

        return call

    def _carry(self, operation: Any) -> Any:
        if id(operation) not in self._carried:
            self._carried[id(operation)] = (operation, self._build(operation))
        return self._carried[id(operation)][1]

    def _build(self, operation: Any) -> Any:
        if hasattr(_functional(operation), "_run_through_graph"):
            return self.rebuild(operation)
        try:
            return _rebuild(operation) if _is_rebuilt(operation) else _adopt(operation)
        except Exception as error:
            raise ModelError(
                f"{self._loaded.path}: layer {operation.name!r} ({type(operation).__name__}) cannot"
                f" be rebuilt in tf-keras for TFMOT: {reason(error)}"
            ) from error


def _is_rebuilt(operation: Any) -> bool:
    kind = type(operation)
    return kind.__name__ in _REBUILT and kind.__module__.split(".", 1)[0] == "keras"


def _rebuild(layer: Any) -> Any:
    """Build a layer's namesake in tf-keras. Its own arguments are a subset of Keras 3's."""
    import tf_keras

    kind = getattr(tf_keras.layers, type(layer).__name__)
    known = {"name", "trainable"}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            known |= set(inspect.signature(base.__init__).parameters)
    config = {
        key: value
        for key, value in layer.get_config().items()
        if key in known and not key.endswith(_LEFT_OUT)
    }
    config["dtype"] = layer.dtype_policy.name
    if type(layer).__name__ not in _RECURRENT and "activation" in config:
        config["activation"] = layer.activation  # some namesakes have other formulas
    return kind(**config)


def _adopt(operation: Any) -> Any:
    """Wrap an operation of Keras 3 in a tf-keras layer that owns its variables."""
    import tensorflow as tf
    import tf_keras

    takes_training = "training" in inspect.signature(operation.call).parameters
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Adopted(tf_keras.layers.Layer):  # type: ignore[misc]  # untyped base
        """Runs an operation of Keras 3."""

        adopted_operation = operation  # of the class: tf-keras would track one of the object

        def __init__(self) -> None:
            super().__init__(name=operation.name)
            self.adopted = [variable.value for variable in getattr(operation, "variables", [])]

        def adopt_call(
            self, inputs: tuple[Any, ...], arguments: dict[str, Any]
        ) -> tuple[list[Any], int]:
            """Keep what a call passes beside tensors; returns these, and the call's number.

            Copying a graph, as TFMOT does, keeps no more than one structure of tensors.
            """
            flat = tf.nest.flatten((inputs, arguments))
            calls.append((inputs, arguments))
            return [value for value in flat if _is_symbolic(value)], len(calls) - 1

        def call(self, tensors: Any, number: int, training: bool | None = None) -> Any:
            given = iter(tf.nest.flatten(tensors))
            inputs, arguments = tf.nest.map_structure(
                lambda value: next(given) if _is_symbolic(value) else value, calls[number]
            )
            if takes_training:
                arguments["training"] = bool(training)
            return operation(*inputs, **arguments)

    return Adopted()


def _is_symbolic(value: Any) -> bool:
    """Whether a value is a tensor of a graph that is being built in tf-keras."""
    return hasattr(value, "_keras_history")
