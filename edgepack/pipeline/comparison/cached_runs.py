"""Outputs of interpreters on the same samples, from the cache or by running the models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.progress import CombinedProgress, Update
from edgepack.evaluation.deviation import why_no_outputs
from edgepack.pipeline.validation.read_inputs import ParsedFile
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes import Runtime
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import load_array, mapped_file, save_array
from edgepack.storage.artifact import describe
from edgepack.storage.cache import Cache, CacheEntry
from edgepack.storage.dataset import Dataset
from edgepack.tflite.macs import model_macs


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """A dataset on disk, and the digests that identify it in the cache."""

    data: Dataset

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def content(self) -> list[str]:
        """SHA-256 of each input's file, in the model's order."""
        return [describe(Path(path)).sha256 for path in self.data.files.values()]


def array_digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 of the file that an array is mapped from, or else of its content."""
    path = mapped_file(array)
    if path is not None:
        return describe(path).sha256
    content = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class RuntimeOutputs:
    """The result of a run: integer or real ``outputs`` (samples, ...), or why it failed.

    ``outputs`` are in the model's order. ``content`` identifies the result in cache keys.
    """

    version: str
    outputs: Sequence[NDArray[Any]]
    failure: str | None
    content: Any

    @classmethod
    def from_cache(cls, entry: CacheEntry | None, key: Any, outputs: int) -> RuntimeOutputs | None:
        """Map the files of a cache entry; None if there is none, or not ``outputs`` whole files."""
        try:
            run = cls.from_entry(entry, key) if entry else None
        except (OSError, ValueError):
            return None
        return run if run and len(run.outputs) == outputs else None

    @classmethod
    def from_entry(cls, entry: CacheEntry, key: Any) -> RuntimeOutputs:
        """Map the files of a cache entry: its value is the version, its files 0.npy, 1.npy, ..."""
        paths = sorted(entry.folder.glob("*.npy"), key=lambda path: int(path.stem))
        return cls(
            version=str(entry.value),
            outputs=[load_array(path) for path in paths],
            failure=None,
            content=key,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRequest:
    """A file to run, and the runtimes to run it on."""

    file: ParsedFile
    runtimes: Sequence[Runtime]


def run_cached(
    running: Interpreters,
    requests: Mapping[str, RunRequest],
    samples: Samples,
    cache: Cache,
    work: Path,
    update: Update,
) -> dict[str, dict[str, RuntimeOutputs]]:
    """Run files on the same samples in parallel; returns the results by name, then by runtime.

    Results in the cache are reused.
    """
    missing: dict[str, RunRequest] = {}
    runs: dict[str, dict[str, RuntimeOutputs]] = {name: {} for name in requests}
    for name, request in requests.items():
        for runtime in request.runtimes:
            key = _key(request.file, runtime, samples)
            if run := RuntimeOutputs.from_cache(cache.find(key), key, len(request.file.outputs)):
                runs[name][runtime.name] = run
        uncached = [runtime for runtime in request.runtimes if runtime.name not in runs[name]]
        if uncached:
            missing[name] = RunRequest(file=request.file, runtimes=uncached)
    for name, new_runs in _run(running, missing, samples, work, update).items():
        for runtime in missing[name].runtimes:
            key = _key(missing[name].file, runtime, samples)
            runs[name][runtime.name] = _cache_run(new_runs[runtime.name], key, cache, work)
    return {
        name: {runtime.name: runs[name][runtime.name] for runtime in request.runtimes}
        for name, request in requests.items()
    }


def _run(
    running: Interpreters,
    requests: Mapping[str, RunRequest],
    samples: Samples,
    work: Path,
    update: Update,
) -> dict[str, dict[str, Run]]:
    pairs = sum(len(request.runtimes) for request in requests.values())
    counter = CombinedProgress(update, total=len(samples) * pairs)
    started = {}
    for index, (name, request) in enumerate(requests.items()):
        folder = work / f"run-{index}"  # file names may be equal
        folder.mkdir()
        started[name] = running.start(
            model=request.file.path,
            inputs=quantize_inputs(
                samples.data.inputs, request.file.model.main.input_tensors, folder
            ),
            outputs=request.file.outputs,
            work=folder,
            update=counter.part(name),
            on=request.runtimes,
            macs=model_macs(request.file.model),
        )
    return {name: wait() for name, wait in started.items()}


def _key(file: ParsedFile, runtime: Runtime, samples: Samples) -> Any:
    return [
        "run",
        file.artifact.sha256,
        runtime.name,
        runtime.version(),
        samples.content,
    ]


def _cache_run(run: Run, key: Any, cache: Cache, work: Path) -> RuntimeOutputs:
    """Cache the outputs of a run; a failure is returned, but not cached."""
    if run.outputs is None:
        why = why_no_outputs(run)
        return RuntimeOutputs(version=run.version, outputs=(), failure=why, content=key)
    files = {}
    for index, array in enumerate(run.outputs.values()):
        path = mapped_file(array)
        if path is None:
            path = work / f"kept-{index}.npy"
            save_array(path, array)
        files[f"{index}.npy"] = path
    return RuntimeOutputs.from_entry(cache.keep(key, run.version, files), key)
