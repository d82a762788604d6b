"""tflite-runtime with its default kernels, as on phones: TensorFlow Lite 2.14."""

from __future__ import annotations

from tflite_runtime import interpreter

from edgepack.tflite.interpreter_api import TfliteInterpreter


class Interpreter(TfliteInterpreter):
    """tflite-runtime as apps use it."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        super().__init__(interpreter.Interpreter(model_content=model, num_threads=threads))
