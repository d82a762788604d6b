"""Interface of loaded models of every kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ModelError, reason
from edgepack.core.progress import Update, ignore
from edgepack.core.signature import Signature, TensorSpec

_BATCH = 64

Runner = Callable[..., list[NDArray[Any]]]
"""Takes a batch for each input of a model, in order, and returns a batch for each output."""


class FloatModel(ABC):
    """A loaded float model: of Keras, a TensorFlow function, or a .tflite file.

    Raises :class:`ModelError` for inputs and outputs that are text or float64, and for outputs that
    are scalars.
    """

    runtime: str
    """Name of what runs it, for reports."""

    def __init__(self, path: Path, signature: Signature) -> None:
        self.path = path
        self.signature = signature
        for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
            for spec in specs:
                _check_dtype(path, kind, spec)
        for output in signature.outputs:
            if not output.shape:
                raise ModelError(
                    f"{path}: the output {output.name!r} is a scalar for each sample; end the"
                    " model with Reshape((1,))"
                )

    @property
    @abstractmethod
    def batch(self) -> int | None:
        """The fixed batch size of the model; None if it accepts any."""

    @abstractmethod
    def runner(self, shapes: Sequence[tuple[int, ...]]) -> Runner:
        """Return a function that runs the model on inputs of these shapes, without the batch."""

    def predict(
        self, inputs: Sequence[NDArray[Any]], update: Update = ignore
    ) -> list[NDArray[Any]]:
        """Run the model, in batches, on an array of shape (samples, ...) for each input.

        Returns an array of shape (samples, ...) for each output. Raises :class:`ModelError` if it
        cannot be run on the inputs.
        """
        return self.run(self.runner([array.shape[1:] for array in inputs]), inputs, update)

    def run(
        self, runner: Runner, inputs: Sequence[NDArray[Any]], update: Update = ignore
    ) -> list[NDArray[Any]]:
        """Run the model as :meth:`predict` does, with a runner that the caller provides."""
        parts = zip(*self.batches(runner, inputs, update), strict=True)
        return [np.concatenate(each) for each in parts]

    def batches(
        self, runner: Runner, inputs: Sequence[NDArray[Any]], update: Update = ignore
    ) -> Iterator[list[NDArray[Any]]]:
        """Yield the outputs batch by batch: an array of shape (samples, ...) for each output."""
        batch, total = self.batch or _BATCH, len(inputs[0])
        for start in range(0, total, batch):
            # A last batch of fixed size is padded with samples from the start.
            indices = np.arange(start, start + batch if self.batch else min(start + batch, total))
            samples = [array.take(indices, axis=0, mode="wrap") for array in inputs]
            try:
                outputs = runner(*samples)
            except Exception as error:
                shapes = ", ".join(f"{array.shape} {array.dtype}" for array in samples)
                raise ModelError(
                    f"{self.path}: {self.runtime} cannot run the model on {shapes}: {reason(error)}"
                ) from error
            yield [output[: total - start] for output in outputs]
            update(min(start + batch, total), total)


def require_finite_outputs(path: Path, outputs: Sequence[NDArray[Any]]) -> None:
    """Raise :class:`ModelError` if one of a float model's outputs is NaN or infinite."""
    if not all(np.isfinite(array).all() for array in outputs):
        raise ModelError(
            f"{path}: the float model outputs NaN or infinity for these inputs; check their scale"
        )


def _check_dtype(path: Path, kind: str, spec: TensorSpec) -> None:
    if spec.dtype == "string":
        raise ModelError(
            f"{path}: the {kind} {spec.name!r} is text; remove the layers that process it from the"
            " model, and use the numbers that they output instead"
        )
    if spec.dtype == "float64":
        raise ModelError(
            f"{path}: the {kind} {spec.name!r} is float64, but int8 is quantized from float32:"
            " build the model with floatx float32 and load the weights into it"
        )


class TensorFlowModel(FloatModel):
    """A model that TensorFlow runs."""

    def __init__(self, path: Path, signature: Signature) -> None:
        super().__init__(path, signature)
        self._runners: dict[tuple[tuple[int, ...], ...], Runner] = {}

    @abstractmethod
    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the model in inference on TensorFlow tensors or arrays; return its outputs."""

    def runner(self, shapes: Sequence[tuple[int, ...]]) -> Runner:
        """Return the model traced for inputs of these shapes, without the batch.

        It is traced once for the same shapes.
        """
        import tensorflow as tf

        if tuple(shapes) in self._runners:
            return self._runners[tuple(shapes)]

        specs = [
            tf.TensorSpec((self.batch, *shape), spec.dtype)
            for spec, shape in zip(self.signature.inputs, shapes, strict=True)
        ]
        traced = tf.function(self, input_signature=specs)

        def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
            return [output.numpy() for output in traced(*inputs)]

        self._runners[tuple(shapes)] = run
        return run
