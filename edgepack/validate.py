"""Run an int8 model on the interpreters, and hold their outputs against the reference kernels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.errors import EdgepackError
from edgepack.metrics import classes
from edgepack.progress import Update
from edgepack.quantize.affine import dequantize
from edgepack.runtimes import Runtime
from edgepack.types import Tensor
from edgepack.worker import Worker


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a runtime made of a model: int8 ``outputs`` (samples, ...), or why it failed.

    ``arena_bytes`` is measured on this host, whose pointers may be wider than the device's.
    """

    version: str
    outputs: NDArray[Any] | None = None
    arena_bytes: int | None = None
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far outputs are from the reference kernels', over all samples.

    ``max_lsb`` and ``mean_lsb`` are absolute differences of the integers;
    ``argmax_disagreements`` counts the samples that get another class anywhere in their output.
    """

    max_lsb: int
    mean_lsb: float
    argmax_disagreements: int


def run_all(
    runtimes: Iterable[Runtime],
    *,
    model: Path,
    inputs: Path,
    work: Path,
    update: Update,
    verbose: bool,
) -> dict[str, Run]:
    """Run a .tflite file on the same inputs, each runtime in a worker process, side by side.

    ``inputs`` is an .npy of the model's dtype, shape (samples, ...); ``work`` a folder for
    outputs. A runtime that fails or dies is a result; the others go on.
    """
    runtimes = list(runtimes)
    counter = _Counter(update, len(runtimes))
    with ExitStack() as workers:
        answers: dict[str, Future[Any]] = {}
        for runtime in runtimes:
            worker = workers.enter_context(
                Worker(
                    "edgepack.runtimes.service:RunService", label=runtime.name, verbose=verbose
                )
            )
            answers[runtime.name] = worker.start(
                "run",
                update=counter.part(runtime.name),
                module=runtime.module,
                model=str(model),
                inputs=str(inputs),
                outputs=str(work / f"{runtime.name}.npy"),
            )
        return {
            runtime.name: _outcome(
                runtime, answers[runtime.name], work / f"{runtime.name}.npy"
            )
            for runtime in runtimes
        }


def _outcome(runtime: Runtime, answer: Future[Any], outputs: Path) -> Run:
    version = runtime.version() or ""
    try:
        arena_bytes = answer.result()["arena_bytes"]
    except (EdgepackError, RuntimeError) as error:
        # Of a worker's traceback, the last line names the exception.
        return Run(version=version, failure=str(error).strip().splitlines()[-1])
    return Run(
        version=version,
        outputs=np.load(outputs, allow_pickle=False),
        arena_bytes=arena_bytes,
    )


class _Counter:
    """Adds up the progress of parts that run side by side and have the same length."""

    def __init__(self, update: Update, parts: int) -> None:
        self._update = update
        self._parts = parts
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def part(self, name: str) -> Callable[[int, int], None]:
        def count(done: int, total: int) -> None:
            with self._lock:
                self._done[name] = done
                self._update(sum(self._done.values()), total * self._parts)

        return count


def deviation(outputs: NDArray[Any], reference: NDArray[Any], tensor: Tensor) -> Deviation:
    """Compare outputs (samples, ...) with the reference kernels' on the same inputs.

    ``tensor`` is the model's output, whose scale tells a lone output's class.
    """
    lsb = np.abs(outputs.astype(np.int32) - reference.astype(np.int32))
    differs = classes(dequantize(outputs, tensor)) != classes(dequantize(reference, tensor))
    return Deviation(
        max_lsb=int(lsb.max()),
        mean_lsb=float(lsb.mean()),
        argmax_disagreements=int(differs.reshape(len(differs), -1).any(axis=1).sum()),
    )
