"""The inside of an interpreter's worker process."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.progress import Update
from edgepack.runtimes import Interpreter


class RunService:
    """Runs a .tflite file on many inputs."""

    def run(
        self, *, module: str, model: str, inputs: str, outputs: str, update: Update
    ) -> dict[str, Any]:
        """Run the samples of ``inputs``, an .npy, one by one, and write ``outputs``, an .npy.

        ``module`` is a runtime's. Returns the arena's bytes, or None, under ``arena_bytes``.
        """
        interpreter: Interpreter = importlib.import_module(module).Interpreter(
            Path(model).read_bytes()
        )
        samples = np.load(inputs, mmap_mode="r", allow_pickle=False)
        results = []
        for done, sample in enumerate(samples, start=1):
            results.append(interpreter.invoke(sample))
            update(done, len(samples))
        np.save(outputs, np.stack(results), allow_pickle=False)
        return {"arena_bytes": interpreter.arena_bytes()}
