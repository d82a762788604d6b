"""What interpreters give for the same samples, from the cache or by running them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.progress import Parts, Update
from edgepack.evaluation.deviation import why_no_outputs
from edgepack.pipeline.validation.read_inputs import ValidatedFile
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes import Runtime
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import file_of, load_array, save_array
from edgepack.storage.artifact import describe
from edgepack.storage.cache import Cache, CacheEntry
from edgepack.storage.dataset import Dataset
from edgepack.tflite.macs import model_macs


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Samples on disk, and what tells them from any others."""

    data: Dataset

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def content(self) -> list[str]:
        """Digests of the inputs, in the model's order."""
        return [describe(Path(path)).sha256 for path in self.data.files.values()]


def digest(array: NDArray[Any]) -> str:
    """Compute the SHA-256 of the file that an array is mapped from, or else of what it holds."""
    path = file_of(array)
    if path is not None:
        return describe(path).sha256
    found = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class RuntimeOutputs:
    """What an interpreter gave: integer or real ``outputs`` (samples, ...), or why it failed.

    ``outputs`` are in the model's order. ``content`` tells the answer from any other.
    """

    version: str
    outputs: Sequence[NDArray[Any]]
    failure: str | None
    content: Any

    @classmethod
    def found(cls, entry: CacheEntry | None, key: Any, outputs: int) -> RuntimeOutputs | None:
        """Map what was found under a key; None if it is not as many outputs, all of them whole."""
        try:
            answer = cls.of(entry, key) if entry else None
        except (OSError, ValueError):
            return None
        return answer if answer and len(answer.outputs) == outputs else None

    @classmethod
    def of(cls, entry: CacheEntry, key: Any) -> RuntimeOutputs:
        """Map what was kept under a key: the version, and files 0.npy, 1.npy and so on."""
        paths = sorted(entry.folder.glob("*.npy"), key=lambda path: int(path.stem))
        return cls(
            version=str(entry.value),
            outputs=[load_array(path) for path in paths],
            failure=None,
            content=key,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRequest:
    """A file that is to be run on runtimes."""

    file: ValidatedFile
    runtimes: Sequence[Runtime]


def run_cached(
    running: Interpreters,
    questions: Mapping[str, RunRequest],
    samples: Samples,
    cache: Cache,
    work: Path,
    update: Update,
) -> dict[str, dict[str, RuntimeOutputs]]:
    """Run files on the same samples, all side by side; answers by name, then by runtime.

    What was run before is taken from the cache.
    """
    missing: dict[str, RunRequest] = {}
    answers: dict[str, dict[str, RuntimeOutputs]] = {name: {} for name in questions}
    for name, question in questions.items():
        for runtime in question.runtimes:
            key = _key(question.file, runtime, samples)
            if answer := RuntimeOutputs.found(cache.find(key), key, len(question.file.outputs)):
                answers[name][runtime.name] = answer
        left = [runtime for runtime in question.runtimes if runtime.name not in answers[name]]
        if left:
            missing[name] = RunRequest(file=question.file, runtimes=left)
    for name, runs in _run(running, missing, samples, work, update).items():
        for runtime in missing[name].runtimes:
            key = _key(missing[name].file, runtime, samples)
            answers[name][runtime.name] = _kept(runs[runtime.name], key, cache, work)
    return {
        name: {runtime.name: answers[name][runtime.name] for runtime in question.runtimes}
        for name, question in questions.items()
    }


def _run(
    running: Interpreters,
    questions: Mapping[str, RunRequest],
    samples: Samples,
    work: Path,
    update: Update,
) -> dict[str, dict[str, Run]]:
    pairs = sum(len(asked.runtimes) for asked in questions.values())
    counter = Parts(update, total=len(samples) * pairs)
    started = {}
    for index, (name, asked) in enumerate(questions.items()):
        folder = work / f"run-{index}"  # names of files may be the same
        folder.mkdir()
        started[name] = running.start(
            model=asked.file.path,
            inputs=quantize_inputs(
                samples.data.inputs, asked.file.model.main.input_tensors, folder
            ),
            outputs=asked.file.outputs,
            work=folder,
            update=counter.part(name),
            on=asked.runtimes,
            macs=model_macs(asked.file.model),
        )
    return {name: wait() for name, wait in started.items()}


def _key(file: ValidatedFile, runtime: Runtime, samples: Samples) -> Any:
    return [
        "run",
        file.artifact.sha256,
        runtime.name,
        runtime.version(),
        samples.content,
    ]


def _kept(run: Run, key: Any, cache: Cache, work: Path) -> RuntimeOutputs:
    """Keep what a run gave; a failure is told, and tried again next time."""
    if run.outputs is None:
        why = why_no_outputs(run)
        return RuntimeOutputs(version=run.version, outputs=(), failure=why, content=key)
    files = {}
    for index, array in enumerate(run.outputs.values()):
        path = file_of(array)
        if path is None:
            path = work / f"kept-{index}.npy"
            save_array(path, array)
        files[f"{index}.npy"] = path
    return RuntimeOutputs.of(cache.keep(key, run.version, files), key)
