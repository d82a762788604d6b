"""The service that runs models in the worker process of an interpreter."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edgepack.core.progress import Update
from edgepack.footprint.allocations import Allocations
from edgepack.runtimes.latency import Latency, latencies
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import read_rows
from edgepack.workers.memory import read_peak_memory, reset_peak_memory

_BLOCK_BYTES = 1 << 20
_TRIAL_S = 0.5
"""How long to run samples to repeat a crash: progress was last reported less than this before."""


class Interpreter(Protocol):
    """An interpreter with a loaded model."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        """Load a .tflite file and allocate its tensors; None leaves the threads to the runtime."""

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample, with an array for each input in the model's order; returns the outputs.

        Arrays have the model's dtypes. Inputs have a batch dimension of 1, unless the model has no
        batch dimension.
        """

    def invoke_again(self) -> None:
        """Run the last sample again, without copying anything."""

    def left_by_delegates(self) -> list[int] | None:
        """Return the indices of the operators that no delegate took; None without delegates."""

    def resized(self) -> dict[int, int]:
        """Return the number of values of tensors, by index, where it differs from the file."""

    def arena_bytes(self) -> int | None:
        """Return the size of the tensor arena in bytes; None if the runtime has none."""

    def allocations(self) -> Allocations | None:
        """Return the allocations in the arena that the runtime reports; None without an arena."""


class RunService:
    """Runs .tflite files on the runtime of a module, which is imported immediately.

    Samples are the rows ``start`` to ``stop`` of ``inputs``: paths of .npy files in the model's
    order.
    """

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
        """Run samples and write ``outputs``, paths of .npy files in the model's order.

        Returns ``arena_bytes``, ``allocations``, ``left_by_delegates`` and ``resized`` as
        :class:`Interpreter` does, and ``peak_memory_bytes`` of the process during the run, or
        None where the system does not report it. ``is_even`` is whether the outputs of all samples
        have the same shapes; otherwise the files have only the first ones.
        """
        reset_peak_memory()
        interpreter = self._build(Path(model).read_bytes())
        with ExitStack() as stack:
            writers = [stack.enter_context(NpyWriter(Path(path))) for path in outputs]
            is_even = True
            for results in _invoke_all(interpreter, inputs, start, stop, update):
                is_even = is_even and _add(writers, results)
        return {
            "arena_bytes": interpreter.arena_bytes(),
            "allocations": interpreter.allocations(),
            "is_even": is_even,
            "peak_memory_bytes": read_peak_memory(),
            "left_by_delegates": interpreter.left_by_delegates(),
            "resized": interpreter.resized(),
        }

    def try_out(
        self, *, model: str, inputs: list[str], start: int, stop: int, update: Update
    ) -> None:
        """Run samples for at most 0.5 s, to find out whether the process crashes."""
        interpreter = self._build(Path(model).read_bytes())
        until = time.monotonic() + _TRIAL_S
        for _ in _invoke_all(interpreter, inputs, start, stop, update):
            if time.monotonic() > until:
                return

    def latencies(
        self, *, models: list[dict[str, Any]], threads: int, update: Update
    ) -> list[Latency]:
        """Time models in turn; each has a path, ``model``, and ``inputs`` with a first sample."""
        timed: list[Interpreter] = []
        for each in models:
            timed.append(self._build(Path(each["model"]).read_bytes(), threads))
            for _ in _invoke_all(timed[-1], each["inputs"], 0, 1, update):
                pass
        return latencies(timed, threads, update)


def _add(writers: Sequence[NpyWriter], results: Sequence[NDArray[Any]]) -> bool:
    """Write the outputs of a sample; False if their shapes differ from those before."""
    try:
        for writer, result in zip(writers, results, strict=True):
            writer.add(result if result.shape[:1] == (1,) else result[None])
    except ValueError:
        return False
    return True


def _invoke_all(
    interpreter: Interpreter, inputs: list[str], start: int, stop: int, update: Update
) -> Iterator[list[NDArray[Any]]]:
    update(0, stop - start)  # the model is loaded
    for done, sample in enumerate(_samples([Path(path) for path in inputs], start, stop), start=1):
        yield interpreter.invoke(sample)
        update(done, stop - start)


def _samples(paths: list[Path], start: int, stop: int) -> Iterator[list[NDArray[Any]]]:
    """Read samples in blocks, which do not stay in memory as those of mapped files would."""
    sample_bytes = sum(read_rows(path, start, start + 1).nbytes for path in paths)
    rows = max(1, _BLOCK_BYTES // max(1, sample_bytes))
    for begin in range(start, stop, rows):
        count = min(rows, stop - begin)
        block = [read_rows(path, begin, begin + count) for path in paths]
        for row in range(count):
            yield [array[row : row + 1] for array in block]
