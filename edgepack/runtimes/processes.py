"""Run .tflite files on several runtimes concurrently, in worker processes."""

from __future__ import annotations

import os
import queue
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from edgepack.core.codec import restore
from edgepack.core.errors import EdgepackError, ModelError, WorkerCrashError, WorkerLimitError
from edgepack.core.progress import CombinedProgress, Update, ignore
from edgepack.footprint.allocations import Allocations
from edgepack.runtimes import Runtime
from edgepack.runtimes.failing_operator import (
    FailingOperator,
    RunOutcome,
    find_failing_operator,
    operator_in_message,
)
from edgepack.runtimes.latency import Latency
from edgepack.runtimes.run_parts import Part, has_nan, join_outputs
from edgepack.runtimes.run_result import Run
from edgepack.runtimes.sample_budget import worthwhile_processes
from edgepack.storage.arrays import Arrays, mapped_file, save_array
from edgepack.tflite.parser import read_tflite
from edgepack.workers.client import Limits, Worker
from edgepack.workers.restarting_worker import RestartingWorker

LIMITS = Limits(time_s=60.0, memory_bytes=4 << 30)
"""Default limits: 60 s to load a model, and for each sample, as reference kernels are slow."""

_MAX_PROCESSES = 4  # per runtime: each takes 45 MB and some time to start
_SEARCH_S = 5.0
_NUMBER = re.compile(r"\d+")
_MIB = 1 << 20
_BYTES_PER_COMPARISON = 40
"""The memory to compare two values: their integers, differences and real values."""


@contextmanager
def interpreters(
    runtimes: Iterable[Runtime] = (),
    *,
    jobs: int | None = None,
    limits: Limits = LIMITS,
    verbose: bool = False,
) -> Iterator[Interpreters]:
    """Run models on runtimes, in worker processes that end with the context.

    Those of ``runtimes`` start immediately, so that they are ready when the model is; others start
    when they are first used. A process runs one model at a time; a runtime has several processes
    if there is enough work. At most ``jobs`` processes work at a time, by default as many as there
    are cores.
    """
    with ExitStack() as stack:
        jobs = jobs or os.cpu_count() or 1
        yield Interpreters(stack, tuple(runtimes), jobs=jobs, limits=limits, verbose=verbose)


class Interpreters:
    """Runtimes whose worker processes are running."""

    def __init__(
        self,
        stack: ExitStack,
        first: Sequence[Runtime],
        *,
        jobs: int,
        limits: Limits,
        verbose: bool,
    ) -> None:
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        stack.callback(self._pool.shutdown)
        self._stack = stack.enter_context(ExitStack())  # of the processes
        stack.callback(self._pool.shutdown, wait=False, cancel_futures=True)
        self._jobs = jobs
        self._limits = limits
        self._verbose = verbose
        self._first = first
        self._counts: dict[Runtime, int] = {}
        self._free: dict[Runtime, queue.SimpleQueue[RestartingWorker]] = {}
        self._pending: list[Future[Any]] = []
        for runtime in first:
            self.prepare(runtime)

    def prepare(self, runtime: Runtime, processes: int = 1) -> None:
        """Start processes of a runtime until it has this many."""
        free = self._free.setdefault(runtime, queue.SimpleQueue())
        for _ in range(processes - self._counts.get(runtime, 0)):
            start = partial(self._worker, runtime)
            free.put(self._stack.enter_context(RestartingWorker(start, runtime.name)))
        self._counts[runtime] = max(processes, self._counts.get(runtime, 0))

    def _worker(self, runtime: Runtime) -> Worker:
        return Worker(
            "edgepack.runtimes.run_service:RunService",
            label=runtime.name,
            verbose=self._verbose,
            limits=self._limits,
            python=runtime.python,
            module=runtime.module,
        )

    def run(
        self,
        *,
        model: Path,
        inputs: Arrays,
        outputs: Sequence[str],
        work: Path,
        update: Update,
        on: Collection[Runtime] | None = None,
        macs: int = 0,
    ) -> dict[str, Run]:
        """Run a .tflite file with the same inputs on several runtimes; returns runs by name.

        ``inputs`` has the model's dtypes and shapes (samples, ...), in the model's order, and
        ``outputs`` are the names of its outputs, in that order; ``work`` is a folder for arrays.
        ``on`` has the runtimes, by default those that were started first. ``macs`` is the number
        of multiply-accumulates per sample, which decides how many processes are worth starting.
        Without samples the model is only loaded. If a runtime fails, crashes or exceeds its
        limits, its :class:`~edgepack.runtimes.run_result.Run` says so, and the others continue.
        """
        finish = self.start(
            model=model, inputs=inputs, outputs=outputs, work=work, update=update, on=on, macs=macs
        )
        return finish()

    def start(
        self,
        *,
        model: Path,
        inputs: Arrays,
        outputs: Sequence[str],
        work: Path,
        update: Update,
        on: Collection[Runtime] | None = None,
        macs: int = 0,
    ) -> Callable[[], dict[str, Run]]:
        """Start what :meth:`run` does; returns a function that waits for the runs and returns them.

        Models that run at the same time must have different file names. Outputs are memory-mapped
        files, in a new folder in ``work``.
        """
        files = _save(work / f"{model.stem}-inputs", inputs)
        folder = Path(mkdtemp(dir=work))
        samples = len(next(iter(inputs.values())))
        chosen = list(self._first if on is None else on)
        counter = CombinedProgress(update, total=samples * len(chosen))
        parts: dict[Runtime, list[Part]] = {}
        for runtime in chosen:
            count = min(worthwhile_processes(runtime, samples, macs), self._jobs, _MAX_PROCESSES)
            self.prepare(runtime, count)
            part_count = max(1, min(count, samples))
            bounds = np.linspace(0, samples, part_count + 1).astype(int).tolist()
            parts[runtime] = []
            for start, stop in pairwise(bounds):
                name = f"{model.stem}-{runtime.name}-{start}"
                part = Part(
                    arguments={"model": str(model), "inputs": files, "start": start, "stop": stop},
                    outputs={key: str(folder / f"{name}-{i}.npy") for i, key in enumerate(outputs)},
                    truncated=work / f"{name}-cut.tflite",
                    update=counter.part(name),
                )
                part.result = self._submit(
                    runtime,
                    "run",
                    update=part.update,
                    outputs=list(part.outputs.values()),
                    **part.arguments,
                )
                parts[runtime].append(part)
        return partial(self._finish, parts, samples)

    def latencies(
        self,
        *,
        models: Mapping[str, Path],
        inputs: Mapping[str, Arrays],
        work: Path,
        threads: int = 1,
        on: Collection[Runtime],
    ) -> dict[str, dict[str, Latency]]:
        """Time .tflite files in turn, each on the first sample of its inputs; all are by name.

        Waits until nothing else runs, then measures one runtime after the other. Returns the
        latencies by runtime, then by model, without the models that a runtime cannot run, and
        without runtimes whose latency is meaningless.
        """
        wait(self._pending)
        timed = {
            name: {
                "model": str(path),
                "inputs": _save(work / f"{name}-sample", _first(inputs[name])),
            }
            for name, path in models.items()
        }
        return {
            runtime.name: self._time(runtime, timed, threads) for runtime in on if runtime.is_timed
        }

    def _time(
        self, runtime: Runtime, timed: dict[str, dict[str, Any]], threads: int
    ) -> dict[str, Latency]:
        models = list(timed.values())
        result = self._submit(runtime, "latencies", models=models, threads=threads)
        try:
            latencies = restore(list[Latency], result.result())
        except (EdgepackError, RuntimeError):
            if len(timed) == 1:
                return {}
            alone = (self._time(runtime, {name: model}, threads) for name, model in timed.items())
            return {name: latency for each in alone for name, latency in each.items()}
        return dict(zip(timed, latencies, strict=True))

    def _submit(
        self, runtime: Runtime, method: str, *, update: Update = ignore, **arguments: Any
    ) -> Future[Any]:
        self.prepare(runtime)
        result = self._pool.submit(self._call, runtime, method, update=update, **arguments)
        self._pending = [each for each in self._pending if not each.done()] + [result]
        return result

    def _call(self, runtime: Runtime, method: str, *, update: Update, **arguments: Any) -> Any:
        process = self._free[runtime].get()
        try:
            return process.call(method, update=update, **arguments)
        finally:
            self._free[runtime].put(process)

    def _finish(self, parts: dict[Runtime, list[Part]], samples: int) -> dict[str, Run]:
        """Wait for the parts, then search for the operators that they fail in."""
        runs = {
            runtime: self._join(runtime, of_runtime, samples)
            for runtime, of_runtime in parts.items()
        }
        searches = {
            runtime: self._pool.submit(self._find_failing_operator, runtime, parts[runtime])
            for runtime, run in runs.items()
            if run.is_refused
        }
        for runtime, search in searches.items():
            if operator := search.result():
                run = runs[runtime]
                failure = (
                    f"{runtime.name} was killed by {run.signal} in {operator}"
                    if run.signal
                    else f"{operator}: {run.failure}"
                )
                runs[runtime] = replace(runs[runtime], failing_operator=operator, failure=failure)
        return {runtime.name: run for runtime, run in runs.items()}

    def _join(self, runtime: Runtime, parts: list[Part], samples: int) -> Run:
        version = runtime.version() or ""
        try:
            results = [part.result.result() for part in parts]
        except (EdgepackError, RuntimeError) as error:
            is_limit = isinstance(error, WorkerLimitError)
            note = "" if is_limit else self._memory_note(parts[0])
            return Run(
                version=version,
                failure=_failure(error) + note,
                is_refused=not is_limit and not note,
                signal=error.signal if isinstance(error, WorkerCrashError) else None,
            )
        is_even = all(result["is_even"] for result in results)
        outputs = join_outputs(parts) if is_even and samples else None
        if outputs and (reason := self._too_large(outputs)):
            return Run(version=version, failure=reason)
        if outputs and (with_nan := [name for name, array in outputs.items() if has_nan(array)]):
            return Run(version=version, failure=f"returns NaN (not a number) in {with_nan[0]!r}")
        return Run(
            version=version,
            outputs=outputs,
            arena_bytes=results[0]["arena_bytes"],
            allocations=restore(Allocations, allocations)
            if (allocations := results[0]["allocations"])
            else None,
            peak_memory_bytes=max(
                (peak for result in results if (peak := result["peak_memory_bytes"])), default=None
            ),
            left_by_delegates=results[0]["left_by_delegates"],
            resized=restore(dict[int, int], results[0]["resized"]),
        )

    def _too_large(self, outputs: Arrays) -> str | None:
        """Return a message if a sample's outputs are too large to compare in the memory limit."""
        limit = self._limits.memory_bytes
        values = sum(array[:1].size for array in outputs.values())
        if limit is None or values * _BYTES_PER_COMPARISON <= limit:
            return None
        return (
            f"returns {values:,} values for a sample, more than can be compared within its memory"
            f" limit of {limit // _MIB:,} MiB"
        )

    def _memory_note(self, part: Part) -> str:
        """Return a note on the memory of a model that needs more than half of the limit.

        Not every runtime says that it failed for lack of memory.
        """
        limit = self._limits.memory_bytes
        try:
            graphs = read_tflite(Path(part.arguments["model"]).read_bytes()).subgraphs
        except ModelError:
            return ""
        needed = sum(tensor.value_bytes for graph in graphs for tensor in graph.tensors)
        if limit is None or needed <= limit // 2:
            return ""
        return (
            f" (the model's tensors take {needed // _MIB:,} MiB of a memory limit of"
            f" {limit // _MIB:,} MiB)"
        )

    def _find_failing_operator(self, runtime: Runtime, parts: list[Part]) -> FailingOperator | None:
        """Find the operator that one of the parts crashed in, or that the runtime refuses."""
        crashed = [part for part in parts if isinstance(part.error, WorkerCrashError)]
        part = next((part for part in (*crashed, *parts) if part.error), None)
        if part is None or part.error is None:
            return None
        model = Path(part.arguments["model"]).read_bytes()
        if not crashed and (operator := operator_in_message(model, str(part.error))):
            return operator
        first = part.arguments["start"] + part.done
        reason = _without_numbers(part.error)

        def run_model(model: bytes) -> RunOutcome:
            part.truncated.write_bytes(model)
            arguments = part.arguments | {"model": str(part.truncated), "start": first}
            try:
                self._call(runtime, "try_out", update=ignore, **arguments)
            except WorkerCrashError as crash:
                return RunOutcome.CRASHED if crash.signal else RunOutcome.FAILED
            except (EdgepackError, RuntimeError) as error:
                is_same = _without_numbers(error) == reason
                return RunOutcome.REFUSED if is_same else RunOutcome.FAILED
            return RunOutcome.RAN

        outcome = RunOutcome.CRASHED if crashed else RunOutcome.REFUSED
        return find_failing_operator(model, run_model, outcome, _SEARCH_S)


def _without_numbers(error: BaseException) -> str:
    """Return a message without the indices of nodes, which change as a model is truncated."""
    return _NUMBER.sub("#", _failure(error))


def _failure(error: BaseException) -> str:
    """Return in one line why a runtime failed; of a traceback, what comes after its frames."""
    lines = str(error).strip().splitlines()
    frames = [index for index, line in enumerate(lines[:-1]) if line.startswith(" ")]
    return " ".join(line.strip() for line in lines[max(frames, default=-1) + 1 :])


def _save(stem: Path, inputs: Arrays) -> list[str]:
    """Write inputs in C order, so that processes can read them row by row; returns the paths.

    Arrays that are such files already are not written again.
    """
    paths = []
    for index, array in enumerate(inputs.values()):
        path = mapped_file(array)
        if path is None:
            path = stem.with_name(f"{stem.name}-{index}.npy")
            save_array(path, np.ascontiguousarray(array))
        paths.append(str(path))
    return paths


def _first(inputs: Arrays) -> Arrays:
    return {name: array[:1] for name, array in inputs.items()}
