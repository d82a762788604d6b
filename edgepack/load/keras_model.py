"""A Keras model in memory, of either Keras. Imports neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.core.errors import ModelError, reason
from edgepack.core.signature import Signature, TensorSpec
from edgepack.load.loaded_model import TensorFlowModel


class KerasModel(TensorFlowModel):
    """A loaded model, and which of the two Kerases it belongs to.

    ``keras`` is the module (``tf_keras`` for what Keras 2 saved, ``keras`` for Keras 3).
    Raises :class:`ModelError` if the model does not know its inputs, or takes or gives something
    else than arrays of numbers.
    """

    runtime = "Keras"

    def __init__(self, model: Any, keras: Any, path: Path) -> None:
        self.model = model
        self.keras = keras
        self._ends = _Graph(model) if getattr(model, "inputs", None) else _Subclassed(model, path)
        super().__init__(path, _signature(path, self._ends.inputs, self._ends.outputs))

    @property
    def is_legacy(self) -> bool:
        """Whether tf-keras (Keras 2) loaded it."""
        return bool(self.keras.__name__ == "tf_keras")

    @property
    def is_graph(self) -> bool:
        """Whether its layers form a graph (Sequential, functional), or code calls them."""
        return isinstance(self._ends, _Graph)

    @property
    def batch(self) -> int | None:
        """The number of samples that the model takes at a time; None if it takes any."""
        return self._ends.batch

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the model on TensorFlow tensors or arrays, not training; return its outputs."""
        import tensorflow as tf

        outputs = self.model(self._ends.pack(inputs), training=False)
        return list(tf.nest.flatten(outputs))

    def pack(self, arrays: Sequence[Any]) -> Any:
        """Give inputs the structure in which the model takes them."""
        return self._ends.pack(arrays)

    def require_finite(self) -> None:
        """Raise :class:`ModelError`, naming the weight, if one holds NaN or infinity."""
        for weight in self.model.weights:
            values = np.asarray(weight)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                name = getattr(weight, "path", weight.name)
                raise ModelError(
                    f"{self.path}: the weight {name!r} holds NaN or infinity; train the model again"
                )


_Named = list[tuple[str, Any]]
"""Names with what has a shape, batch included, and a dtype."""


class _Graph:
    """The inputs and outputs of a Sequential or functional model."""

    def __init__(self, model: Any) -> None:
        graph = getattr(model, "_functional", None) or model
        self._keys = _keys(_nested(graph, "inputs"), len(model.inputs))
        self.inputs = _named(self._keys, model.inputs)
        keys = _keys(_nested(graph, "outputs"), len(model.outputs))
        self.outputs = _named(keys, model.outputs)
        self.batch: int | None = model.inputs[0].shape[0]

    def pack(self, inputs: Sequence[Any]) -> Any:
        if self._keys:
            return dict(zip(self._keys, inputs, strict=True))
        return inputs[0] if len(inputs) == 1 else list(inputs)


class _Subclassed:
    """The inputs and outputs of a model whose layers are called by code.

    It knows the shapes of its inputs, from when it was built. Its outputs show when it is traced.
    """

    batch = None

    def __init__(self, model: Any, path: Path) -> None:
        import tensorflow as tf

        self._structure = _built(model)
        if self._structure is None:
            raise ModelError(
                f"{path}: the model has no inputs of known shape; call it on data once, with all"
                " inputs in its first argument, before it is saved"
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


def _built(model: Any) -> Any:
    """Find what a subclassed model was built for, as TensorSpecs of any batch; or None."""
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


def _by_key(structure: Any, kind: str) -> _Named:
    import tensorflow as tf

    flat = tf.nest.flatten(structure)
    names = _keys(structure, len(flat)) or [kind] * len(flat)
    return _unique(zip(names, flat, strict=True))


def _nested(graph: Any, kind: str) -> Any:
    """Find the structure in which a graph takes its inputs, or gives its outputs."""
    return getattr(graph, f"_{kind}_struct", getattr(graph, f"_nested_{kind}", None))


def _keys(structure: Any, count: int) -> list[str] | None:
    """Find the keys of so many tensors, if they are a dictionary, in the tensors' order.

    TensorFlow and both Kerases flatten a dictionary by its sorted keys.
    """
    is_flat = isinstance(structure, dict) and len(structure) == count
    return sorted(structure) if is_flat else None


def _named(keys: list[str] | None, tensors: Sequence[Any]) -> _Named:
    """Name tensors by their keys, or by the layers that they come from."""
    names = keys or [tensor._keras_history[0].name for tensor in tensors]
    return _unique(zip(names, tensors, strict=True))


def _unique(named: Iterable[tuple[str, Any]]) -> _Named:
    """Number the names that come again: one layer may give several outputs."""
    found: dict[str, Any] = {}
    for name, tensor in named:
        number, free = 0, name
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found[free] = tensor
    return list(found.items())


def _signature(path: Path, inputs: _Named, outputs: _Named) -> Signature:
    return Signature(
        inputs=tuple(_spec(path, name, tensor) for name, tensor in inputs),
        outputs=tuple(_spec(path, name, tensor) for name, tensor in outputs),
    )


def _spec(path: Path, name: str, tensor: Any) -> TensorSpec:
    dtype = getattr(tensor.dtype, "name", tensor.dtype)
    if getattr(tensor.shape, "rank", 0) is None:
        raise ModelError(
            f"{path}: {name!r} has no shape, not even a number of dimensions; give it one in the"
            " model, such as with a Reshape layer"
        )
    return TensorSpec(name=name, shape=tuple(tensor.shape)[1:], dtype=dtype)
