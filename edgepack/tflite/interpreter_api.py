"""What tflite-runtime and LiteRT share: the Python interface of TensorFlow Lite's interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.delegated import left_by_delegates


class TfliteInterpreter:
    """Drives an ``Interpreter`` of TensorFlow Lite's Python interface."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._given = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
        interpreter.allocate_tensors()
        self._inputs = interpreter.get_input_details()
        self._outputs = [tensor["index"] for tensor in interpreter.get_output_details()]

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample."""
        for tensor, array in zip(self._inputs, sample, strict=True):
            self._interpreter.set_tensor(tensor["index"], array.reshape(tensor["shape"]))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def again(self) -> None:
        """Run the sample that was run last."""
        self._interpreter.invoke()

    def left_by_delegates(self) -> list[int] | None:
        """Tell which operators no delegate took."""
        return left_by_delegates(self._interpreter)

    def resized(self) -> dict[int, int]:
        """Find the tensors that hold another number of values than the file says, by index.

        What the file leaves open may be of any size, and so may what it gives no shape at all.
        """
        sizes = {
            tensor["index"]: int(np.prod(tensor["shape"], dtype=np.int64))
            for tensor in self._interpreter.get_tensor_details()
        }
        return {
            index: sizes[index]
            for index, given in self._given.items()
            if len(given["shape"])
            and (given["shape_signature"] >= 0).all()
            and sizes.get(index, 0) != np.prod(given["shape"], dtype=np.int64)
        }

    def arena_bytes(self) -> None:
        """Return None: memory comes from the heap."""

    def allocations(self) -> None:
        """Return None: there is no arena to give account of."""
