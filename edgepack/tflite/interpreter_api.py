"""Drive the Python interface of TensorFlow Lite's interpreter, of tflite-runtime and LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.delegated_operators import left_by_delegates


class TfliteInterpreter:
    """Runs a model on an ``Interpreter`` of TensorFlow Lite's Python interface."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._declared = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
        interpreter.allocate_tensors()
        self._inputs = interpreter.get_input_details()
        self._outputs = [tensor["index"] for tensor in interpreter.get_output_details()]

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample, an array per input, and return an array per output."""
        for tensor, array in zip(self._inputs, sample, strict=True):
            self._interpreter.set_tensor(tensor["index"], array.reshape(tensor["shape"]))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def invoke_again(self) -> None:
        """Run the last sample again."""
        self._interpreter.invoke()

    def left_by_delegates(self) -> list[int] | None:
        """Return the operators that no delegate runs, by index; None if it does not list them."""
        return left_by_delegates(self._interpreter)

    def resized(self) -> dict[int, int]:
        """Return the number of values of tensors that do not have the size the file declares.

        By index. Tensors with dynamic sizes, or without a shape, may have any size.
        """
        sizes = {
            tensor["index"]: int(np.prod(tensor["shape"], dtype=np.int64))
            for tensor in self._interpreter.get_tensor_details()
        }
        return {
            index: sizes[index]
            for index, declared in self._declared.items()
            if len(declared["shape"])
            and (declared["shape_signature"] >= 0).all()
            and sizes.get(index, 0) != np.prod(declared["shape"], dtype=np.int64)
        }

    def arena_bytes(self) -> None:
        """Return None: memory comes from the heap."""

    def allocations(self) -> None:
        """Return None: there is no arena."""
