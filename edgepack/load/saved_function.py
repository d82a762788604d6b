"""A SavedModel without Keras layers: one signature, which can be run but not trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, reason
from edgepack.core.signature import Signature, TensorSpec
from edgepack.load.loaded_model import TensorFlowModel

_PREFERRED = ("serving_default", "serve")


class SavedFunction(TensorFlowModel):
    """A signature of a SavedModel: ``serving_default``, ``serve``, or the only one.

    Raises :class:`ModelError` if there is none, or its inputs or outputs are not arrays of numbers.
    """

    runtime = "TensorFlow"

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        try:
            self._saved = tf.saved_model.load(str(path))  # keeps the variables alive
        except Exception as error:
            raise ModelError(f"{path}: cannot be loaded: {reason(error)}") from error
        self._function = _choose(path, dict(self._saved.signatures))
        _, inputs = self._function.structured_input_signature
        outputs = self._function.structured_outputs
        self._names = list(inputs), sorted(outputs)
        self._batches = {spec.shape[0] for spec in inputs.values() if spec.shape.rank}
        super().__init__(
            path,
            Signature(
                inputs=tuple(_spec(path, name, inputs[name]) for name in self._names[0]),
                outputs=tuple(_spec(path, name, outputs[name]) for name in self._names[1]),
            ),
        )

    @property
    def batch(self) -> int | None:
        """The fixed batch size of the signature; None if it accepts any."""
        return next((size for size in self._batches if size is not None), None)

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the signature on TensorFlow tensors or arrays; return its outputs."""
        import tensorflow as tf

        tensors = [
            tf.convert_to_tensor(array, spec.dtype)
            for array, spec in zip(inputs, self.signature.inputs, strict=True)
        ]
        outputs = self._function(**dict(zip(self._names[0], tensors, strict=True)))
        return [outputs[name] for name in self._names[1]]


def _choose(path: Path, signatures: dict[str, Any]) -> Any:
    for name in _PREFERRED:
        if name in signatures:
            return signatures[name]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    names = f"the signatures {', '.join(sorted(signatures))}" if signatures else "no signature"
    raise ModelError(
        f"{path}: the SavedModel has {names}; save it with one named serving_default:"
        " tf.saved_model.save(model, folder, signatures=function)"
    )


def _spec(path: Path, name: str, tensor: Any) -> TensorSpec:
    if tensor.shape.rank in (None, 0):
        raise ModelError(
            f"{path}: {name!r} has no known shape (samples, ...); save the signature with one"
        )
    return TensorSpec(name=name, shape=tuple(tensor.shape)[1:], dtype=tensor.dtype.name)
