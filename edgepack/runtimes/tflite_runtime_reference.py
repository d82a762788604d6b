"""tflite-runtime with its reference kernels: slow, but they define the correct outputs."""

from __future__ import annotations

from tflite_runtime import interpreter

from edgepack.tflite.interpreter_api import TfliteInterpreter


class Interpreter(TfliteInterpreter):
    """tflite-runtime without optimized kernels or delegates."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        super().__init__(
            interpreter.Interpreter(
                model_content=model,
                num_threads=threads,
                experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
            )
        )
