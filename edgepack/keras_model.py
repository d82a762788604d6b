"""A Keras model in memory, of either Keras. Imports neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgepack.errors import ModelError
from edgepack.types import TensorSpec


class KerasModel:
    """A loaded model of one input and one output, and which of the two Kerases it belongs to.

    ``keras`` is the module (``tf_keras`` for what Keras 2 saved, ``keras`` for Keras 3).
    Raises :class:`ModelError` if the model has several inputs or outputs, or takes or gives
    something else than arrays of numbers.
    """

    def __init__(self, model: Any, keras: Any, path: Path) -> None:
        self.model = model
        self.keras = keras
        self.path = path
        self.input = self._only("input")
        self.output = self._only("output")
        if not self.output.shape:
            raise ModelError(
                f"{path}: the model gives a bare number for each sample; end it with Reshape((1,))"
            )

    @property
    def is_legacy(self) -> bool:
        """Whether tf-keras (Keras 2) loaded it."""
        return bool(self.keras.__name__ == "tf_keras")

    @property
    def batch(self) -> int | None:
        """The number of samples that the model takes at a time; None if it takes any."""
        size: int | None = self.model.inputs[0].shape[0]
        return size

    def __call__(self, samples: Any) -> Any:
        """Run the model on TensorFlow tensors or arrays, not training; return its one output."""
        import tensorflow as tf

        (output,) = tf.nest.flatten(self.model(samples, training=False))
        return output

    def require_finite(self) -> None:
        """Raise :class:`ModelError`, naming the weight, if one holds NaN or infinity."""
        for weight in self.model.weights:
            values = np.asarray(weight)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                name = getattr(weight, "path", weight.name)
                raise ModelError(
                    f"{self.path}: the weight {name!r} holds NaN or infinity; train the model again"
                )

    def _only(self, kind: str) -> TensorSpec:
        tensors = getattr(self.model, f"{kind}s", None)
        if not tensors:
            raise ModelError(
                f"{self.path}: the model has no {kind} of known shape; edgepack takes Sequential"
                " models with an Input layer, and functional models"
            )
        if len(tensors) > 1:
            raise ModelError(
                f"{self.path}: the model has {len(tensors)} {kind}s; edgepack takes models with one"
            )
        (tensor,) = tensors
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        if dtype == "string":
            raise ModelError(f"{self.path}: the {kind} is text; edgepack takes arrays of numbers")
        return TensorSpec(name=tensor.name, shape=tuple(tensor.shape)[1:], dtype=dtype)
