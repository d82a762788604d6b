"""Run .tflite files on several runtimes side by side, in worker processes."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import Arrays, blocks, file_of, load_array, save_array
from edgepack.codec import restore
from edgepack.errors import EdgepackError, ModelError, WorkerCrashError, WorkerLimitError
from edgepack.progress import Parts, Update, ignore
from edgepack.runtimes import Runtime
from edgepack.runtimes.culprit import Culprit, Fate, culprit
from edgepack.runtimes.latency import Latency
from edgepack.runtimes.process import Process
from edgepack.spool import Spool
from edgepack.tflite.flatbuffer import read_tflite
from edgepack.types import Allocations
from edgepack.worker import Limits

LIMITS = Limits(time_s=60.0, memory_bytes=4 << 30)
"""Loading a model, and each sample, may take so long: reference kernels are slow."""

_MAX_PROCESSES = 4  # a runtime: each takes 45 MB and a moment to start
_SEARCH_S = 5.0
_MIB = 1 << 20
_COMPARED_BYTES = 40
"""What holding a value against others takes: integers, differences and real values of both."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a runtime made of a model: integer ``outputs`` (samples, ...), or why it failed.

    ``arena_bytes`` and ``peak_memory_bytes``, which is the whole process's, are measured on this
    host, whose pointers may be wider than the device's; ``allocations`` is TFLM's own account of
    the arena. ``left_by_delegates`` has the indices of the operators that no delegate took; None
    where that is not told. ``resized`` tells how many values tensors hold, by index, where the file
    says otherwise. A model ``is_refused`` if the runtime would not load or run it, or crashed,
    which is not a limit of time or memory. After a crash, ``signal`` names what ended the process,
    and ``culprit`` the operator that was being run, if that can be told.
    """

    version: str
    outputs: Arrays | None = None
    arena_bytes: int | None = None
    allocations: Allocations | None = None
    peak_memory_bytes: int | None = None
    left_by_delegates: Sequence[int] | None = None
    resized: Mapping[int, int] = field(default_factory=dict)
    failure: str | None = None
    is_refused: bool = False
    signal: str | None = None
    culprit: Culprit | None = None


@contextmanager
def interpreters(
    runtimes: Iterable[Runtime],
    *,
    jobs: int | None = None,
    limits: Limits = LIMITS,
    verbose: bool = False,
    are_shared: bool = False,
) -> Iterator[Interpreters]:
    """Start the runtimes that models are to run on, in worker processes of their own.

    They start at once, so that they are ready when the model is. A runtime that uses one core
    only has several processes, which share the samples; with ``are_shared`` every runtime has. At
    most ``jobs`` of all processes work at a time; None stands for as many as there are cores.
    """
    jobs = jobs or os.cpu_count() or 1
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(max_workers=jobs)
        stack.callback(pool.shutdown)
        processes = {
            runtime: [
                stack.enter_context(Process(runtime, limits, verbose=verbose))
                for _ in range(
                    min(jobs, _MAX_PROCESSES) if are_shared or runtime.is_single_threaded else 1
                )
            ]
            for runtime in runtimes
        }
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield Interpreters(processes, pool, limits)


class Interpreters:
    """Runtimes whose worker processes are running."""

    def __init__(
        self, processes: dict[Runtime, list[Process]], pool: ThreadPoolExecutor, limits: Limits
    ) -> None:
        self._counts = {runtime: len(its) for runtime, its in processes.items()}
        self._free = {runtime: _queue(its) for runtime, its in processes.items()}
        self._pool = pool
        self._limits = limits
        self._begun: list[Future[Any]] = []

    def run(
        self, *, model: Path, inputs: Arrays, outputs: Sequence[str], work: Path, update: Update
    ) -> dict[str, Run]:
        """Run a .tflite file on the same inputs, on all runtimes side by side.

        ``inputs`` has the model's dtypes and shapes (samples, ...), in the model's order, and
        ``outputs`` names what comes out, in that order; ``work`` is a folder for arrays. A
        runtime that fails, dies or needs more than its limits is a result; the others go on.
        """
        started = self.start(model=model, inputs=inputs, outputs=outputs, work=work, update=update)
        return started()

    def start(
        self,
        *,
        model: Path,
        inputs: Arrays,
        outputs: Sequence[str],
        work: Path,
        update: Update,
        on: Collection[str] | None = None,
    ) -> Callable[[], dict[str, Run]]:
        """Begin what :meth:`run` does; what is returned waits for it.

        Files whose runs overlap have names of their own. Outputs are maps of files, in a folder of
        their own in ``work``. ``on`` names the runtimes if not all are meant.
        """
        files = _save(work / f"{model.stem}-inputs", inputs)
        folder = Path(mkdtemp(dir=work))
        samples = len(next(iter(inputs.values())))
        chosen = {
            runtime: count
            for runtime, count in self._counts.items()
            if on is None or runtime.name in on
        }
        counter = Parts(update, total=samples * len(chosen))
        parts: dict[Runtime, list[_Part]] = {}
        for runtime, count in chosen.items():
            bounds = np.linspace(0, samples, min(count, samples) + 1).astype(int).tolist()
            parts[runtime] = []
            for start, stop in pairwise(bounds):
                name = f"{model.stem}-{runtime.name}-{start}"
                part = _Part(
                    asked={"model": str(model), "inputs": files, "start": start, "stop": stop},
                    made={key: str(folder / f"{name}-{i}.npy") for i, key in enumerate(outputs)},
                    cut=work / f"{name}-cut.tflite",
                    update=counter.part(name),
                )
                part.answer = self._submit(
                    runtime, "run", update=part.note, outputs=list(part.made.values()), **part.asked
                )
                parts[runtime].append(part)
        return partial(self._finish, parts)

    def latencies(
        self,
        *,
        models: Mapping[str, Path],
        inputs: Mapping[str, Arrays],
        work: Path,
        threads: int = 1,
        on: Collection[str] | None = None,
    ) -> dict[str, dict[str, Latency]]:
        """Time .tflite files in turn on the first sample of each one's inputs, all by name.

        Waits until nothing else runs, then measures one runtime after the other, of those that
        ``on`` names if not all are meant. Returns the latencies by runtime, then by model; what a
        runtime does not run is left out, and so is a runtime whose times tell nothing.
        """
        wait(self._begun)
        timed = {
            name: {
                "model": str(path),
                "inputs": _save(work / f"{name}-sample", _first(inputs[name])),
            }
            for name, path in models.items()
        }
        return {
            runtime.name: self._time(runtime, timed, threads)
            for runtime in self._counts
            if runtime.is_timed and (on is None or runtime.name in on)
        }

    def _time(
        self, runtime: Runtime, timed: dict[str, dict[str, Any]], threads: int
    ) -> dict[str, Latency]:
        models = list(timed.values())
        answer = self._submit(runtime, "latencies", models=models, threads=threads)
        try:
            taken = restore(list[Latency], answer.result())
        except (EdgepackError, RuntimeError):
            if len(timed) == 1:
                return {}
            alone = (self._time(runtime, {name: model}, threads) for name, model in timed.items())
            return {name: latency for each in alone for name, latency in each.items()}
        return dict(zip(timed, taken, strict=True))

    def _submit(
        self, runtime: Runtime, method: str, *, update: Update = ignore, **arguments: Any
    ) -> Future[Any]:
        answer = self._pool.submit(self._call, runtime, method, update=update, **arguments)
        self._begun = [each for each in self._begun if not each.done()] + [answer]
        return answer

    def _call(self, runtime: Runtime, method: str, *, update: Update, **arguments: Any) -> Any:
        process = self._free[runtime].get()
        try:
            return process.call(method, update=update, **arguments)
        finally:
            self._free[runtime].put(process)

    def _finish(self, parts: dict[Runtime, list[_Part]]) -> dict[str, Run]:
        """Wait for the parts, then look for what crashed them."""
        runs = {runtime: self._join(runtime, its) for runtime, its in parts.items()}
        searches = {
            runtime: self._pool.submit(self._search, runtime, parts[runtime])
            for runtime, run in runs.items()
            if run.signal
        }
        for runtime, search in searches.items():
            if found := search.result():
                told = f"{runtime.name} was killed by {runs[runtime].signal} in {found}"
                runs[runtime] = replace(runs[runtime], culprit=found, failure=told)
        return {runtime.name: run for runtime, run in runs.items()}

    def _join(self, runtime: Runtime, parts: list[_Part]) -> Run:
        version = runtime.version() or ""
        try:
            answers = [part.answer.result() for part in parts]
        except (EdgepackError, RuntimeError) as error:
            is_limit = isinstance(error, WorkerLimitError)
            note = "" if is_limit else self._memory_note(parts[0])
            return Run(
                version=version,
                failure=_told(error) + note,
                is_refused=not is_limit and not note,
                signal=error.signal if isinstance(error, WorkerCrashError) else None,
            )
        is_even = all(answer["is_even"] for answer in answers)
        outputs = _outputs(parts) if is_even else None
        if outputs and (reason := self._too_large(outputs)):
            return Run(version=version, failure=reason)
        if outputs and (unreal := [name for name, made in outputs.items() if _has_nan(made)]):
            return Run(version=version, failure=f"gives NaN (not a number), in {unreal[0]!r}")
        return Run(
            version=version,
            outputs=outputs,
            arena_bytes=answers[0]["arena_bytes"],
            allocations=restore(Allocations, account)
            if (account := answers[0]["allocations"])
            else None,
            peak_memory_bytes=max(answer["peak_memory_bytes"] for answer in answers),
            left_by_delegates=answers[0]["left_by_delegates"],
            resized=restore(dict[int, int], answers[0]["resized"]),
        )

    def _too_large(self, outputs: Arrays) -> str | None:
        """Say that a sample's outputs are too large to be compared within the limit of memory."""
        limit = self._limits.memory_bytes
        values = sum(array[:1].size for array in outputs.values())
        if limit is None or values * _COMPARED_BYTES <= limit:
            return None
        return (
            f"gives {values:,} values for a sample, more than can be compared within its memory"
            f" limit of {limit // _MIB:,} MiB"
        )

    def _memory_note(self, part: _Part) -> str:
        """Say what a model needs if that is near the limit: not every runtime says why it fails."""
        limit = self._limits.memory_bytes
        try:
            graphs = read_tflite(Path(part.asked["model"]).read_bytes()).subgraphs
        except ModelError:
            return ""
        needed = sum(tensor.value_bytes for graph in graphs for tensor in graph.tensors)
        if limit is None or needed <= limit // 2:
            return ""
        return (
            f" (the model's tensors take {needed // _MIB:,} MiB of a memory limit of"
            f" {limit // _MIB:,} MiB)"
        )

    def _search(self, runtime: Runtime, parts: list[_Part]) -> Culprit | None:
        """Find the operator that ended the process of one of the parts."""
        part = next(part for part in parts if isinstance(part.crash, WorkerCrashError))
        begin = part.asked["start"] + part.done

        def fate(model: bytes) -> Fate:
            part.cut.write_bytes(model)
            asked = part.asked | {"model": str(part.cut), "start": begin}
            try:
                self._call(runtime, "try_out", update=ignore, **asked)
            except WorkerCrashError as crash:
                return Fate.CRASHED if crash.signal else Fate.REFUSED
            except (EdgepackError, RuntimeError):
                return Fate.REFUSED
            return Fate.RAN

        return culprit(Path(part.asked["model"]).read_bytes(), fate, _SEARCH_S)


def _told(error: Exception) -> str:
    """Say in a line why a runtime failed: of a traceback, what stands behind its frames."""
    lines = str(error).strip().splitlines()
    frames = [place for place, line in enumerate(lines[:-1]) if line.startswith(" ")]
    return " ".join(line.strip() for line in lines[max(frames, default=-1) + 1 :])


class _Part:
    """The samples of a run that one process takes."""

    answer: Future[Any]

    def __init__(self, asked: dict[str, Any], made: dict[str, str], cut: Path, update: Update):
        self.asked = asked
        self.made = made
        self.cut = cut
        self.done = 0
        self._update = update

    def note(self, done: int, total: int, detail: str = "") -> None:
        """Take the news of the part."""
        self.done = done
        self._update(done, total, detail)

    @property
    def crash(self) -> BaseException | None:
        """What the part raised, if it is over."""
        return self.answer.exception() if self.answer.done() else None


def _outputs(parts: list[_Part]) -> Arrays | None:
    """Join what the parts gave; None if their shapes differ, or there is nothing in them."""
    made = {name: [load_array(Path(part.made[name])) for part in parts] for name in parts[0].made}
    if any(len({array.shape[1:] for array in arrays}) > 1 for arrays in made.values()):
        return None
    if not all(array.size for arrays in made.values() for array in arrays):
        return None
    return {name: _joined([Path(part.made[name]) for part in parts]) for name in made}


def _joined(paths: list[Path]) -> NDArray[Any]:
    """Join the parts of an output, block by block, in one file that takes their place."""
    arrays = [load_array(path) for path in paths]
    is_real = arrays[0].dtype.kind == "f"
    if len(arrays) == 1 and not is_real:
        return arrays[0]
    with Spool(paths[0].with_suffix(".joined.npy")) as spool:
        for _, (block,) in chain.from_iterable(map(blocks, arrays)):
            # What is beyond float32 counts as its end, so that differences stay numbers.
            spool.add(np.nan_to_num(block, nan=np.nan) if is_real else block)
    for path in paths:
        path.unlink()
    return load_array(spool.path)


def _has_nan(array: NDArray[Any]) -> bool:
    is_real = array.dtype.kind == "f"
    return is_real and any(np.isnan(block).any() for _, (block,) in blocks(array))


def _queue(processes: Iterable[Process]) -> queue.SimpleQueue[Process]:
    free: queue.SimpleQueue[Process] = queue.SimpleQueue()
    for process in processes:
        free.put(process)
    return free


def _save(stem: Path, inputs: Arrays) -> list[str]:
    """Write inputs so that processes can read them row by row: in C order, if they are not yet."""
    paths = []
    for index, array in enumerate(inputs.values()):
        path = file_of(array)
        if path is None:
            path = stem.with_name(f"{stem.name}-{index}.npy")
            save_array(path, np.ascontiguousarray(array))
        paths.append(str(path))
    return paths


def _first(inputs: Arrays) -> Arrays:
    return {name: array[:1] for name, array in inputs.items()}
