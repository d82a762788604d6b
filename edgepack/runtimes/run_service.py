"""The inside of an interpreter's worker process."""

from __future__ import annotations

import ctypes
import importlib
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edgepack.core.progress import Update
from edgepack.footprint.allocations import Allocations
from edgepack.runtimes.latency import Latency, latencies
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import read_rows

_PROCESS = Path("/proc/self")
_BLOCK_BYTES = 1 << 20
_KIB = 1 << 10
_MOMENT_S = 0.5
"""A process that crashed told of its progress less than so long before."""


class Interpreter(Protocol):
    """One model, loaded."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        """Load a .tflite file and allocate its tensors; None leaves the threads to the runtime."""

    def invoke(self, sample: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one sample, an array for each input in the model's order; return each output.

        Arrays have the model's dtypes; inputs have a batch of 1, or none where the model has none.
        """

    def again(self) -> None:
        """Run the sample that was run last, without copying anything."""

    def left_by_delegates(self) -> list[int] | None:
        """Tell which operators, by index, no delegate took; None where the runtime has none."""

    def resized(self) -> dict[int, int]:
        """Tell how many values tensors hold, by index, where the file says otherwise."""

    def arena_bytes(self) -> int | None:
        """Measure the tensor arena; None where the runtime has none."""

    def allocations(self) -> Allocations | None:
        """Give the runtime's own account of the tensor arena; None where it has none."""


class RunService:
    """Runs .tflite files on the runtime of a module, which is imported at once.

    Samples are rows ``start`` to ``stop`` of ``inputs``, paths of .npy files in the model's order.
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
        """Run samples and write ``outputs``, all .npy files.

        Returns the arena's bytes, or None, under ``arena_bytes``, the runtime's account of it, or
        None, under ``allocations``, the most memory that the process had meanwhile under
        ``peak_memory_bytes``, under ``left_by_delegates`` the indices of the operators that no
        delegate took, or None, and under ``resized`` how many values tensors hold, by
        index, where the file says otherwise. ``is_even`` tells that each sample gave
        outputs of the same shapes; else ``outputs`` hold the first ones only.
        """
        forget_peak()
        interpreter = self._build(Path(model).read_bytes())
        with ExitStack() as stack:
            spools = [stack.enter_context(NpyWriter(Path(path))) for path in outputs]
            is_even = True
            for results in _invoked(interpreter, inputs, start, stop, update):
                is_even = is_even and _add(spools, results)
        return {
            "arena_bytes": interpreter.arena_bytes(),
            "allocations": interpreter.allocations(),
            "is_even": is_even,
            "peak_memory_bytes": peak(),
            "left_by_delegates": interpreter.left_by_delegates(),
            "resized": interpreter.resized(),
        }

    def try_out(
        self, *, model: str, inputs: list[str], start: int, stop: int, update: Update
    ) -> None:
        """Run samples, for no more than a moment, to see what happens to the process."""
        interpreter = self._build(Path(model).read_bytes())
        until = time.monotonic() + _MOMENT_S
        for _ in _invoked(interpreter, inputs, start, stop, update):
            if time.monotonic() > until:
                return

    def latencies(
        self, *, models: list[dict[str, Any]], threads: int, update: Update
    ) -> list[Latency]:
        """Time models in turn, each a ``model`` on the first sample of its ``inputs``."""
        timed: list[Interpreter] = []
        for each in models:
            timed.append(self._build(Path(each["model"]).read_bytes(), threads))
            for _ in _invoked(timed[-1], each["inputs"], 0, 1, update):
                pass
        return latencies(timed, threads, update)


def _add(spools: Sequence[NpyWriter], results: Sequence[NDArray[Any]]) -> bool:
    """Write the outputs of a sample; False if they have another shape than those before."""
    try:
        for spool, result in zip(spools, results, strict=True):
            spool.add(result if result.shape[:1] == (1,) else result[None])
    except ValueError:
        return False
    return True


def _invoked(
    interpreter: Interpreter, inputs: list[str], start: int, stop: int, update: Update
) -> Iterator[list[NDArray[Any]]]:
    update(0, stop - start)  # it is loaded
    for done, sample in enumerate(_samples([Path(path) for path in inputs], start, stop), start=1):
        yield interpreter.invoke(sample)
        update(done, stop - start)


def _samples(paths: list[Path], start: int, stop: int) -> Iterator[list[NDArray[Any]]]:
    """Read samples in blocks, which do not fill the memory as mapped files would."""
    sample_bytes = sum(read_rows(path, start, start + 1).nbytes for path in paths)
    rows = max(1, _BLOCK_BYTES // max(1, sample_bytes))
    for begin in range(start, stop, rows):
        count = min(rows, stop - begin)
        block = [read_rows(path, begin, begin + count) for path in paths]
        for row in range(count):
            yield [array[row : row + 1] for array in block]


def forget_peak() -> None:
    """Let the kernel measure the peak of the memory from here on.

    What models before took was given back to the C library, which may have kept it.
    """
    with suppress(OSError, AttributeError):  # without glibc, it keeps it
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # without Linux, it is that of the process's whole life
        (_PROCESS / "clear_refs").write_text("5")


def peak() -> int:
    """Read the most memory, in bytes, that the process had at once."""
    with suppress(OSError):
        # Not what getrusage says: that begins with the memory of the process that started this.
        status = (_PROCESS / "status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * _KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB
