"""What tflite-runtime and LiteRT share: the Python interface of TensorFlow Lite's interpreter."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class TfliteInterpreter:
    """Drives an ``Interpreter`` of TensorFlow Lite's Python interface."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]

    def invoke(self, sample: NDArray[Any]) -> NDArray[Any]:
        """Run one input."""
        self._interpreter.set_tensor(self._input, sample[None])
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output)[0]
        return output

    def arena_bytes(self) -> None:
        """Return None: memory comes from the heap."""
