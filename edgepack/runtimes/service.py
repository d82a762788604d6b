"""The inside of an interpreter's worker process."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import load_array, save_array
from edgepack.progress import Update
from edgepack.types import Allocations


class Interpreter(Protocol):
    """One model, loaded, with the batch fixed at 1."""

    def __init__(self, model: bytes) -> None:
        """Load a .tflite file and allocate its tensors."""

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample, an array for each input in the model's order; return each output.

        Arrays have the model's dtypes, and a batch of 1.
        """

    def arena_bytes(self) -> int | None:
        """Measure the tensor arena; None where the runtime has none."""

    def allocations(self) -> Allocations | None:
        """Give the runtime's own account of the tensor arena; None where it has none."""


class RunService:
    """Runs .tflite files on the runtime of a module, which is imported at once."""

    def __init__(self, module: str) -> None:
        self._build: type[Interpreter] = importlib.import_module(module).Interpreter

    def run(
        self,
        *,
        model: str,
        inputs: list[str],
        start: int,
        stop: int,
        outputs: list[str],
        update: Update,
    ) -> dict[str, Any]:
        """Run samples ``start`` to ``stop`` of ``inputs`` and write ``outputs``, all .npy files.

        Returns the arena's bytes, or None, under ``arena_bytes``, and the runtime's account of
        it, or None, under ``allocations``.
        """
        interpreter = self._build(Path(model).read_bytes())
        arrays = [load_array(Path(path)) for path in inputs]
        results = []
        for index in range(start, stop):
            results.append(interpreter.invoke([array[index : index + 1] for array in arrays]))
            update(index + 1 - start, stop - start)
        for path, parts in zip(outputs, zip(*results, strict=True), strict=True):
            save_array(Path(path), np.concatenate(parts))
        allocations = interpreter.allocations()
        return {
            "arena_bytes": interpreter.arena_bytes(),
            "allocations": asdict(allocations) if allocations else None,
        }
