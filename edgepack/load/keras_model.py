"""A loaded Keras model, of either Keras. Imports neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.core.errors import ModelError, reason
from edgepack.core.signature import Signature, TensorSpec
from edgepack.load.loaded_model import TensorFlowModel


class KerasModel(TensorFlowModel):
    """A loaded model with the Keras that it belongs to.

    ``keras`` is the module (``tf_keras`` for models saved by Keras 2, ``keras`` for Keras 3).
    ``replaced_dtypes`` are those that layers of the file compute in, where these do in float32.
    Raises :class:`ModelError` if the model does not know the shapes of its inputs, or if its inputs
    or outputs are not arrays of numbers.
    """

    runtime = "Keras"

    def __init__(
        self, model: Any, keras: Any, path: Path, replaced_dtypes: tuple[str, ...] = ()
    ) -> None:
        self.model = model
        self.replaced_dtypes = replaced_dtypes
        self.keras = keras
        self._io = _GraphIO(model) if getattr(model, "inputs", None) else _SubclassedIO(model, path)
        super().__init__(path, _signature(path, self._io.inputs, self._io.outputs))

    @property
    def is_legacy(self) -> bool:
        """Whether tf-keras (Keras 2) loaded it."""
        return bool(self.keras.__name__ == "tf_keras")

    @property
    def is_graph(self) -> bool:
        """Whether its layers form a graph (Sequential, functional); otherwise code calls them."""
        return isinstance(self._io, _GraphIO)

    @property
    def batch(self) -> int | None:
        """The fixed batch size of the model; None if it accepts any."""
        return self._io.batch

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the model in inference on TensorFlow tensors or arrays; return its outputs."""
        import tensorflow as tf

        outputs = self.model(self._io.pack(inputs), training=False)
        return list(tf.nest.flatten(outputs))

    def pack(self, arrays: Sequence[Any]) -> Any:
        """Return inputs, in order, in the structure that the model expects."""
        return self._io.pack(arrays)

    def require_finite(self) -> None:
        """Raise :class:`ModelError`, naming the weight, if one holds NaN or infinity."""
        for weight in self.model.weights:
            values = np.asarray(weight)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                name = getattr(weight, "path", weight.name)
                raise ModelError(
                    f"{self.path}: the weight {name!r} holds NaN or infinity; train the model again"
                )


_NamedTensors = list[tuple[str, Any]]
"""Names with tensors or specs that have a shape, including the batch, and a dtype."""


class _GraphIO:
    """The inputs and outputs of a Sequential or functional model."""

    def __init__(self, model: Any) -> None:
        graph = getattr(model, "_functional", None) or model
        self._keys = _keys(_structure(graph, "inputs"), len(model.inputs))
        self.inputs = _name_tensors(self._keys, model.inputs)
        keys = _keys(_structure(graph, "outputs"), len(model.outputs))
        self.outputs = _name_tensors(keys, model.outputs)
        self.batch: int | None = model.inputs[0].shape[0]

    def pack(self, inputs: Sequence[Any]) -> Any:
        if self._keys:
            return dict(zip(self._keys, inputs, strict=True))
        return inputs[0] if len(inputs) == 1 else list(inputs)


class _SubclassedIO:
    """The inputs and outputs of a model whose layers are called by code.

    The shapes of its inputs are those that it was built for; its outputs are found by tracing.
    """

    batch = None

    def __init__(self, model: Any, path: Path) -> None:
        import tensorflow as tf

        self._structure = _input_specs(model)
        if self._structure is None:
            raise ModelError(
                f"{path}: the model has no inputs of known shape; call it on data once, with all"
                " inputs in its first argument, before saving it"
            )
        self.inputs = _by_key(self._structure, "input")
        try:
            traced = tf.function(lambda inputs: model(inputs, training=False))
            outputs = traced.get_concrete_function(self._structure).structured_outputs
        except Exception as error:
            raise ModelError(f"{path}: the model cannot be called: {reason(error)}") from error
        self.outputs = _by_key(outputs, "output")

    def pack(self, inputs: Sequence[Any]) -> Any:
        import tensorflow as tf

        return tf.nest.pack_sequence_as(self._structure, list(inputs))


def _input_specs(model: Any) -> Any:
    """Return the TensorSpecs, of any batch, that a subclassed model was built for, or None."""
    import tensorflow as tf

    saved = getattr(model, "save_spec", lambda: None)()
    if saved is not None:
        (inputs, *_), _ = saved
        return inputs
    shapes = (model.get_build_config() or {}).get("input_shape")
    if not shapes:
        return None

    def spec(shape: Any) -> Any:
        if isinstance(shape, dict):
            return {key: spec(value) for key, value in shape.items()}
        if shape and isinstance(shape[0], list | tuple | dict):
            return [spec(value) for value in shape]
        return tf.TensorSpec((None, *shape[1:]), tf.float32)

    return spec(shapes)


def _by_key(structure: Any, kind: str) -> _NamedTensors:
    import tensorflow as tf

    flat = tf.nest.flatten(structure)
    names = _keys(structure, len(flat)) or [kind] * len(flat)
    return _unique(zip(names, flat, strict=True))


def _structure(graph: Any, kind: str) -> Any:
    """Return the nested structure of a graph's ``inputs`` or ``outputs``."""
    return getattr(graph, f"_{kind}_struct", getattr(graph, f"_nested_{kind}", None))


def _keys(structure: Any, count: int) -> list[str] | None:
    """Return the keys, in the tensors' order, of a dictionary of ``count`` tensors, or None.

    TensorFlow and both Kerases flatten a dictionary by its sorted keys.
    """
    is_flat = isinstance(structure, dict) and len(structure) == count
    return sorted(structure) if is_flat else None


def _name_tensors(keys: list[str] | None, tensors: Sequence[Any]) -> _NamedTensors:
    """Name tensors by their keys, or by the layers that output them."""
    names = keys or [tensor._keras_history[0].name for tensor in tensors]
    return _unique(zip(names, tensors, strict=True))


def _unique(named: Iterable[tuple[str, Any]]) -> _NamedTensors:
    """Number repeated names: one layer may have several outputs."""
    by_name: dict[str, Any] = {}
    for name, tensor in named:
        number, unused = 0, name
        while unused in by_name:
            number += 1
            unused = f"{name}_{number}"
        by_name[unused] = tensor
    return list(by_name.items())


def _signature(path: Path, inputs: _NamedTensors, outputs: _NamedTensors) -> Signature:
    return Signature(
        inputs=tuple(_spec(path, name, tensor) for name, tensor in inputs),
        outputs=tuple(_spec(path, name, tensor) for name, tensor in outputs),
    )


def _spec(path: Path, name: str, tensor: Any) -> TensorSpec:
    dtype = getattr(tensor.dtype, "name", tensor.dtype)
    if getattr(tensor.shape, "rank", 0) is None:
        raise ModelError(
            f"{path}: {name!r} has no shape, not even a number of dimensions; set one in the"
            " model, such as with a Reshape layer"
        )
    return TensorSpec(name=name, shape=tuple(tensor.shape)[1:], dtype=dtype)
