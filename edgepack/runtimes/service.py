"""The inside of an interpreter's worker process."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import load_array, save_array
from edgepack.progress import Update


class Interpreter(Protocol):
    """One model, loaded, of one input and one output with the batch fixed at 1."""

    def __init__(self, model: bytes) -> None:
        """Load a .tflite file and allocate its tensors."""

    def invoke(self, sample: NDArray[Any]) -> NDArray[Any]:
        """Run one input, without the batch, of the model's dtype; return its output likewise."""

    def arena_bytes(self) -> int | None:
        """Measure the tensor arena; None where the runtime has none."""


class RunService:
    """Runs .tflite files on the runtime of a module, which is imported at once."""

    def __init__(self, module: str) -> None:
        self._build: type[Interpreter] = importlib.import_module(module).Interpreter

    def run(
        self, *, model: str, inputs: str, start: int, stop: int, outputs: str, update: Update
    ) -> dict[str, Any]:
        """Run samples ``start`` to ``stop`` of ``inputs``, an .npy, and write ``outputs``, an .npy.

        Returns the arena's bytes, or None, under ``arena_bytes``.
        """
        interpreter = self._build(Path(model).read_bytes())
        samples = load_array(Path(inputs))[start:stop]
        results = []
        for done, sample in enumerate(samples, start=1):
            results.append(interpreter.invoke(sample))
            update(done, len(samples))
        save_array(Path(outputs), np.stack(results))
        return {"arena_bytes": interpreter.arena_bytes()}
