"""LiteRT with its default delegate, XNNPACK, as on phones."""

from __future__ import annotations

from ai_edge_litert import interpreter

from edgepack.tflite.interpreter_api import TfliteInterpreter


class Interpreter(TfliteInterpreter):
    """LiteRT as apps use it."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        super().__init__(interpreter.Interpreter(model_content=model, num_threads=threads))
