"""TensorFlow Lite Micro (TFLM), the runtime of microcontrollers."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from tflite_micro import runtime

from edgepack.core.errors import ConversionError
from edgepack.footprint.allocations import Allocations
from edgepack.tflite.graph import Model
from edgepack.tflite.parser import read_tflite

_STRUCTURES_BYTES = 1 << 20
_CHANNEL_BYTES = 64
_MAX_ARENA = (1 << 31) - 1
_MAX_MESSAGE_BYTES = 1 << 16


class Interpreter:
    """TFLM's interpreter with the reference kernels, built for this host.

    Raises :class:`ConversionError`, with TFLM's own message, if it cannot run the model.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:  # noqa: ARG002 (it has one)
        with _captured_stderr() as stderr:
            try:
                parsed = read_tflite(model)
                self._shapes = [tensor.shape for tensor in parsed.main.input_tensors]
                self._outputs = range(len(parsed.main.outputs))
                self._interpreter = runtime.Interpreter.from_bytes(
                    model, arena_size=_ample_arena(parsed)
                )
            except RuntimeError as error:
                raise ConversionError(_reason(stderr) or str(error)) from error

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample."""
        for index, array in enumerate(sample):
            self._interpreter.set_input(array.reshape(self._shapes[index]), index)
        try:
            self._interpreter.invoke()
        except RuntimeError:
            self._fail()
        return [np.array(self._interpreter.get_output(index)) for index in self._outputs]

    def invoke_again(self) -> None:
        """Run the last sample again."""
        self._interpreter.invoke()

    def _fail(self) -> NoReturn:
        """Run a failed sample again, and raise TFLM's message."""
        with _captured_stderr() as stderr:
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise ConversionError(_reason(stderr) or str(error)) from error
        raise ConversionError("fails at times, with the same input")

    def left_by_delegates(self) -> None:
        """Return None: TFLM has no delegates."""

    def resized(self) -> dict[int, int]:
        """Return an empty dictionary: TFLM uses the shapes of the file."""
        return {}

    def arena_bytes(self) -> int:
        """Return the bytes of the smallest arena for the model on this host, as TFLM reports."""
        return self.allocations().total_bytes

    def allocations(self) -> Allocations:
        """Return the allocations in the arena, as TFLM reports them."""
        with _captured_stderr() as stderr:
            self._interpreter.print_allocations()
            stderr.seek(0)
            text = stderr.read().decode()
        parts = dict(re.findall(r"Arena allocation (head|tail) (\d+) bytes", text))
        kinds = re.findall(r"'(.+)' used (\d+) bytes .* for (\d+) ", text)
        return Allocations(
            head_bytes=int(parts["head"]),
            tail_bytes=int(parts["tail"]),
            kinds={kind: (int(size), int(count)) for kind, size, count in kinds},
        )


def _ample_arena(model: Model) -> int:
    """Return an upper bound on the arena in bytes: TFLM crashes if the arena is too small.

    It has room for all computed tensors twice, and for what kernels keep per channel. TFLM counts
    in 32 bits.
    """
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    computed = sum(8 * prod(tensor.shape) for tensor in tensors if not tensor.is_constant)
    channels = sum(len(tensor.quant.scale) for tensor in tensors if tensor.quant)
    return min(2 * computed + _CHANNEL_BYTES * channels + _STRUCTURES_BYTES, _MAX_ARENA)


@contextmanager
def _captured_stderr() -> Iterator[IO[bytes]]:
    """Capture what native code writes to file descriptor 2, such as TFLM's error messages."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _reason(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    lines = stderr.read(_MAX_MESSAGE_BYTES).decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in lines if line.strip()), "")
