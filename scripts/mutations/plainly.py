"""Run a .tflite file on interpreters directly, without edgepack, and print the outcomes.

    python plainly.py MODEL.tflite NAME...

Prints one line for each interpreter: its name and ``ran``, or the exception. An interpreter that
ends the process has no line.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_MEMORY_BYTES = 4 << 30
_ARENA_BYTES = 256 << 20


def _tflite(module: Any, resolver: str | None) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        kind = getattr(module.OpResolverType, resolver or "AUTO")
        interpreter = module.Interpreter(model_content=data, experimental_op_resolver_type=kind)
        interpreter.allocate_tensors()
        for details in interpreter.get_input_details():
            values = np.zeros(details["shape"], details["dtype"])
            interpreter.set_tensor(details["index"], values)
        interpreter.invoke()
        for details in interpreter.get_output_details():
            interpreter.get_tensor(details["index"])

    return run


def _tflm(data: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data, arena_size=_ARENA_BYTES)
    graph = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    for index in range(graph.InputsLength()):
        details = interpreter.get_input_details(index)
        interpreter.set_input(np.zeros(details["shape"], details["dtype"]), index)
    interpreter.invoke()
    for index in range(graph.OutputsLength()):
        interpreter.get_output(index)


def _runner(name: str) -> Callable[[bytes], None]:
    if name == "tflm":
        return _tflm
    if name.startswith("tflite-runtime"):
        from tflite_runtime import interpreter as tflite

        return _tflite(tflite, "BUILTIN_REF" if name.endswith("reference") else None)
    from ai_edge_litert import interpreter as litert

    without_delegates = name.endswith("kernels")
    return _tflite(litert, "BUILTIN_WITHOUT_DEFAULT_DELEGATES" if without_delegates else None)


def main() -> None:
    """Run the file on one interpreter after the other."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    data = Path(sys.argv[1]).read_bytes()
    for name in sys.argv[2:]:
        try:
            _runner(name)(data)
            outcome = "ran"
        except Exception as error:  # noqa: BLE001 (any exception is an outcome)
            outcome = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"{name}\t{outcome}", flush=True)


if __name__ == "__main__":
    main()
