"""Run an int8 model on the interpreters, and hold their outputs against the reference kernels."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import load_array, save_array
from edgepack.compare import sqnr_db
from edgepack.errors import EdgepackError
from edgepack.metrics import classes, decision_boundary
from edgepack.progress import Update
from edgepack.quantize.affine import dequantize
from edgepack.runtimes import REFERENCE, Runtime
from edgepack.types import Tensor
from edgepack.worker import Worker

_MAX_PROCESSES = 4  # a runtime: each takes 45 MB and a moment to start


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


@contextmanager
def interpreters(runtimes: Iterable[Runtime], *, verbose: bool = False) -> Iterator[Interpreters]:
    """Start the runtimes that a model is to run on, in worker processes of their own.

    They start at once, so that they are ready when the model is. A runtime that uses one core
    only has several processes, which share the samples.
    """
    with ExitStack() as stack:
        yield Interpreters(
            {
                runtime: [
                    stack.enter_context(
                        Worker(
                            "edgepack.runtimes.service:RunService",
                            label=runtime.name,
                            verbose=verbose,
                            module=runtime.module,
                        )
                    )
                    for _ in range(_processes(runtime))
                ]
                for runtime in runtimes
            }
        )


class Interpreters:
    """Runtimes whose worker processes are running."""

    def __init__(self, workers: dict[Runtime, list[Worker]]) -> None:
        self._workers = workers

    def run(
        self, *, model: Path, inputs: NDArray[Any], work: Path, update: Update
    ) -> dict[str, Run]:
        """Run a .tflite file on the same inputs, on all runtimes side by side.

        ``inputs`` has the model's dtype and shape (samples, ...); ``work`` is a folder for
        arrays. A runtime that fails or dies is a result; the others go on.
        """
        file = work / "inputs.npy"
        save_array(file, inputs)
        counter = _Counter(update, total=len(inputs) * len(self._workers))
        parts: dict[Runtime, list[_Part]] = {runtime: [] for runtime in self._workers}
        for runtime, workers in self._workers.items():
            bounds = np.linspace(0, len(inputs), len(workers) + 1).astype(int).tolist()
            for worker, start, stop in zip(workers, bounds, bounds[1:], strict=False):
                if start == stop:
                    continue
                part = f"{runtime.name}-{start}"
                outputs = work / f"{part}.npy"
                answer = worker.start(
                    "run",
                    update=counter.part(part),
                    model=str(model),
                    inputs=str(file),
                    start=start,
                    stop=stop,
                    outputs=str(outputs),
                )
                parts[runtime].append((answer, outputs))
        return {runtime.name: _join(runtime, its_parts) for runtime, its_parts in parts.items()}


_Part = tuple[Future[Any], Path]


def _processes(runtime: Runtime) -> int:
    return min(os.cpu_count() or 1, _MAX_PROCESSES) if runtime.is_single_threaded else 1


def _join(runtime: Runtime, parts: list[_Part]) -> Run:
    version = runtime.version() or ""
    try:
        answers = [answer.result() for answer, _ in parts]
    except (EdgepackError, RuntimeError) as error:
        # Of a worker's traceback, the last line names the exception.
        return Run(version=version, failure=str(error).strip().splitlines()[-1])
    return Run(
        version=version,
        outputs=np.concatenate([load_array(outputs) for _, outputs in parts]),
        arena_bytes=answers[0]["arena_bytes"],
    )


class _Counter:
    """Adds up the progress of parts that run side by side."""

    def __init__(self, update: Update, total: int) -> None:
        self._update = update
        self._total = total
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def part(self, name: str) -> Update:
        def count(done: int, total: int) -> None:  # noqa: ARG001 (a part's own total)
            with self._lock:
                self._done[name] = done
                self._update(sum(self._done.values()), self._total)

        return count


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The runs of the runtimes, and how far each is from the reference kernels where both ran.

    ``notes`` says in sentences what could not be compared.
    """

    runs: dict[str, Run]
    deviations: dict[str, Deviation]
    notes: tuple[str, ...]


def hold_against_reference(
    runs: dict[str, Run], output: Tensor, float_outputs: NDArray[Any]
) -> Validation:
    """Take the reference kernels' run out of ``runs`` and compare the others with it.

    Reference kernels have defects too: where their outputs are farther from the float model's
    than every other interpreter's by :data:`DOUBT_DB`, they are not taken for the truth.
    """
    reference = runs.get(REFERENCE.name)
    others = {name: run for name, run in runs.items() if name != REFERENCE.name}
    if reference is None:
        return Validation(runs=others, deviations={}, notes=())
    doubt = reference.failure or _doubt(reference, others, output, float_outputs)
    if doubt or reference.outputs is None:
        note = f"nothing was compared with the reference kernels of tflite-runtime: {doubt}"
        return Validation(runs=others, deviations={}, notes=(note,))
    boundary = decision_boundary(float_outputs)
    deviations = {
        name: deviation(run.outputs, reference.outputs, output, boundary)
        for name, run in others.items()
        if run.outputs is not None
    }
    return Validation(runs=others, deviations=deviations, notes=())


DOUBT_DB = 6.0
"""A difference twice as large; rounding alone moves the interpreters by fractions of this."""


def _doubt(
    reference: Run, others: dict[str, Run], output: Tensor, float_outputs: NDArray[Any]
) -> str | None:
    def ratio(run: Run) -> float:
        assert run.outputs is not None  # noqa: S101 (only runs that have outputs)
        found = sqnr_db(float_outputs, dequantize(run.outputs, output))
        return float("inf") if found is None else found

    made = {name: ratio(run) for name, run in others.items() if run.outputs is not None}
    if not made or min(made.values()) < ratio(reference) + DOUBT_DB:
        return None
    return (
        f"they are in doubt, with an SQNR of {ratio(reference):.1f} dB against the float model"
        f" where {', '.join(f'{name} reaches {found:.1f} dB' for name, found in made.items())}"
    )


def deviation(
    outputs: NDArray[Any], reference: NDArray[Any], tensor: Tensor, boundary: float
) -> Deviation:
    """Compare outputs (samples, ...) with the reference kernels' on the same inputs.

    ``tensor`` is the model's output, whose scale, with the decision boundary, tells a lone
    output's class.
    """
    lsb = np.abs(outputs.astype(np.int32) - reference.astype(np.int32))
    found, wanted = (classes(dequantize(q, tensor), boundary) for q in (outputs, reference))
    differs = found != wanted
    return Deviation(
        max_lsb=int(lsb.max()),
        mean_lsb=float(lsb.mean()),
        argmax_disagreements=int(differs.reshape(len(differs), -1).any(axis=1).sum()),
    )
