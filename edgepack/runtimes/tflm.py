"""TensorFlow Lite Micro: microcontrollers."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, BinaryIO, NoReturn

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
_MAX_WORDS = 1 << 16


class Interpreter:
    """TFLM's interpreter with the reference kernels, built for this host.

    Raises :class:`ConversionError`, with TFLM's own words, if it cannot run the model.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:  # noqa: ARG002 (it has one)
        with _standard_error() as words:
            try:
                parsed = read_tflite(model)
                self._shapes = [tensor.shape for tensor in parsed.main.input_tensors]
                self._outputs = range(len(parsed.main.outputs))
                self._interpreter = runtime.Interpreter.from_bytes(
                    model, arena_size=_ample_arena(parsed)
                )
            except RuntimeError as error:
                raise ConversionError(_reason(words) or str(error)) from error

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample."""
        for index, array in enumerate(sample):
            self._interpreter.set_input(array.reshape(self._shapes[index]), index)
        try:
            self._interpreter.invoke()
        except RuntimeError:
            self._fail()
        return [np.array(self._interpreter.get_output(index)) for index in self._outputs]

    def again(self) -> None:
        """Run the sample that was run last."""
        self._interpreter.invoke()

    def _fail(self) -> NoReturn:
        """Run once more what failed, to hear why."""
        with _standard_error() as words:
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise ConversionError(_reason(words) or str(error)) from error
        raise ConversionError("fails at times, with the same input")

    def left_by_delegates(self) -> None:
        """Return None: it has no delegates."""

    def resized(self) -> dict[int, int]:
        """Return nothing: it takes the file's shapes."""
        return {}

    def arena_bytes(self) -> int:
        """Read the smallest arena that holds the model on this host, off TFLM's own account."""
        return self.allocations().total_bytes

    def allocations(self) -> Allocations:
        """Read TFLM's own account of the arena."""
        with _standard_error() as words:
            self._interpreter.print_allocations()
            words.seek(0)
            text = words.read().decode()
        parts = dict(re.findall(r"Arena allocation (head|tail) (\d+) bytes", text))
        kinds = re.findall(r"'(.+)' used (\d+) bytes .* for (\d+) ", text)
        return Allocations(
            head_bytes=int(parts["head"]),
            tail_bytes=int(parts["tail"]),
            kinds={kind: (int(size), int(count)) for kind, size, count in kinds},
        )


def _ample_arena(model: Model) -> int:
    """Bound the arena from above: TFLM ends the process with a signal in one too small.

    Every computed tensor at once, twice; kernels keep some bytes for each channel besides. TFLM
    counts in 32 bits.
    """
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    computed = sum(8 * prod(tensor.shape) for tensor in tensors if not tensor.is_constant)
    channels = sum(len(tensor.quant.scale) for tensor in tensors if tensor.quant)
    return min(2 * computed + _CHANNEL_BYTES * channels + _STRUCTURES_BYTES, _MAX_ARENA)


@contextmanager
def _standard_error() -> Iterator[BinaryIO]:
    """Catch what native code writes to file descriptor 2: TFLM says there what went wrong."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _reason(words: BinaryIO) -> str:
    words.seek(0)
    lines = words.read(_MAX_WORDS).decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in lines if line.strip()), "")
