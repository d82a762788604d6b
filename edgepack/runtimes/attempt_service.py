"""The service that tries an interpreter with a tiny model whose outputs are known.

The model, ``attempt.tflite`` beside this module, has one FULLY_CONNECTED in int8, all scales 1: it
adds its inputs, and subtracts the last two from the first two.
"""

from __future__ import annotations

import importlib
from importlib.resources import files

import numpy as np

from edgepack.core.errors import ConversionError
from edgepack.core.progress import Update
from edgepack.runtimes.run_service import Interpreter

MODEL = "attempt.tflite"
INPUTS = (1, 2, 3, 4)
OUTPUTS = [1 + 2 + 3 + 4, 1 + 2 - 3 - 4]


class Attempt:
    """Tries the interpreter of a module, which is imported immediately."""

    def __init__(self, module: str) -> None:
        self._build: type[Interpreter] = importlib.import_module(module).Interpreter

    def run(self, *, update: Update) -> None:  # noqa: ARG002 (the protocol has it)
        """Run the model; raises :class:`ConversionError` if its outputs are others."""
        interpreter = self._build(files("edgepack.runtimes").joinpath(MODEL).read_bytes())
        (output,) = interpreter.invoke([np.array([INPUTS], np.int8)])
        if output.ravel().tolist() != OUTPUTS:
            raise ConversionError(f"computes {output.ravel().tolist()} where {OUTPUTS} is right")
