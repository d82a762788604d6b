"""LiteRT with its own kernels only: if they refuse a model, no delegate is the cause."""

from __future__ import annotations

from ai_edge_litert import interpreter

from edgepack.tflite.interpreter_api import TfliteInterpreter


class Interpreter(TfliteInterpreter):
    """LiteRT without delegates."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        resolver = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        super().__init__(
            interpreter.Interpreter(
                model_content=model,
                num_threads=threads,
                experimental_op_resolver_type=resolver,
            )
        )
