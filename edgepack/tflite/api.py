"""What tflite-runtime and LiteRT share: the Python interface of TensorFlow Lite's interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edgepack.delegates.measured import left_by_delegates


class TfliteInterpreter:
    """Drives an ``Interpreter`` of TensorFlow Lite's Python interface."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
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

    def arena_bytes(self) -> None:
        """Return None: memory comes from the heap."""

    def allocations(self) -> None:
        """Return None: there is no arena to give account of."""
