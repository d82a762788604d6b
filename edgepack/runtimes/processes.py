"""Run a .tflite file on several runtimes side by side, in worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.arrays import Arrays, load_array, save_arrays
from edgepack.errors import EdgepackError
from edgepack.progress import Parts, Update
from edgepack.runtimes import Runtime
from edgepack.types import Allocations
from edgepack.worker import Worker

_MAX_PROCESSES = 4  # a runtime: each takes 45 MB and a moment to start


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a runtime made of a model: integer ``outputs`` (samples, ...), or why it failed.

    ``arena_bytes`` is measured on this host, whose pointers may be wider than the device's;
    ``allocations`` is TFLM's own account of it.
    """

    version: str
    outputs: Arrays | None = None
    arena_bytes: int | None = None
    allocations: Allocations | None = None
    failure: str | None = None


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
        self, *, model: Path, inputs: Arrays, outputs: Sequence[str], work: Path, update: Update
    ) -> dict[str, Run]:
        """Run a .tflite file on the same inputs, on all runtimes side by side.

        ``inputs`` has the model's dtypes and shapes (samples, ...), in the model's order, and
        ``outputs`` names what comes out, in that order; ``work`` is a folder for arrays. A
        runtime that fails or dies is a result; the others go on.
        """
        files = list(save_arrays(work / "inputs", inputs).values())
        samples = len(next(iter(inputs.values())))
        counter = Parts(update, total=samples * len(self._workers))
        parts: dict[Runtime, list[_Part]] = {runtime: [] for runtime in self._workers}
        for runtime, workers in self._workers.items():
            bounds = np.linspace(0, samples, len(workers) + 1).astype(int).tolist()
            for worker, start, stop in zip(workers, bounds, bounds[1:], strict=False):
                if start == stop:
                    continue
                part = f"{runtime.name}-{start}"
                made = {
                    name: str(work / f"{part}-{index}.npy") for index, name in enumerate(outputs)
                }
                answer = worker.start(
                    "run",
                    update=counter.part(part),
                    model=str(model),
                    inputs=files,
                    start=start,
                    stop=stop,
                    outputs=list(made.values()),
                )
                parts[runtime].append((answer, made))
        return {runtime.name: _join(runtime, its_parts) for runtime, its_parts in parts.items()}


_Part = tuple[Future[Any], dict[str, str]]


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
        outputs={
            name: np.concatenate([load_array(Path(made[name])) for _, made in parts])
            for name in parts[0][1]
        },
        arena_bytes=answers[0]["arena_bytes"],
        allocations=Allocations.of(account) if (account := answers[0]["allocations"]) else None,
    )
