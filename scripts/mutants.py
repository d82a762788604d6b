#!/usr/bin/env python3
"""Damage .tflite files in every way and validate them; print the counts by outcome.

    scripts/mutants.py [MODEL.tflite ...] [--count N] [--seed N] [--jobs N]

Without models, those of MLPerf Tiny at ../shared/data/mlperf_tiny. Files are truncated, bits are
flipped, and fields are overwritten, by turns; the same seed makes the same files. Each is validated
in a process that must answer within 10 seconds: what kills that, hangs it or makes it show a
traceback is a defect of edgepack, and this ends with status 1. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack.errors import EdgepackError, ModelError, WorkerCrashError, WorkerLimitError
from edgepack.flatbuffer import read_tflite
from edgepack.progress import Update, ignore
from edgepack.runtimes import REFERENCE, RUNTIMES
from edgepack.runtimes.processes import Run, interpreters
from edgepack.samples import random_inputs
from edgepack.worker import Limits, Worker

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
WHOLE = Limits(time_s=10)
"""For a file, by whatever number of interpreters."""

EACH = Limits(time_s=3, memory_bytes=1 << 30)
SAMPLES = 2
DEFECTS = {"KILLED", "HUNG", "TRACEBACK"}
TELLING = (0, 1, 2, 0x7F, 0x80, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values that lengths, offsets and numbers break at."""


def validate(path: Path) -> str:
    """Validate a file as edgepack does; returns the outcome."""
    model = read_tflite(path.read_bytes())
    runtimes = [each for each in (REFERENCE, *RUNTIMES.values()) if each.missing() is None]
    with (
        tempfile.TemporaryDirectory() as work,
        interpreters(runtimes, jobs=1, limits=EACH) as running,
    ):
        runs = running.run(
            model=path,
            inputs=random_inputs(model, SAMPLES, 0, EACH.memory_bytes or 0),
            outputs=[str(index) for index in range(len(model.main.outputs))],
            work=Path(work),
            update=ignore,
        )
    return outcome(runs)


def outcome(runs: dict[str, Run]) -> str:
    """Name the worst that happened to an interpreter."""
    crashed = [
        f"{name} {run.signal} {run.culprit.operator if run.culprit else 'at no operator'}"
        for name, run in runs.items()
        if run.signal
    ]
    failures = [run.failure for run in runs.values() if run.failure]
    if crashed:
        return f"crashed: {crashed[0]}"
    for word, kind in ((" was stopped after", "time"), (" memory limit", "memory")):
        if any(word in failure for failure in failures):
            return f"stopped: an interpreter needed more {kind} than its limit"
    return "refused: by an interpreter" if failures else "passed"


class Service:
    """Validates in a process of its own."""

    def validate(self, *, path: str, update: Update) -> str:
        """Validate a file; returns the outcome."""
        update(0, 1)
        try:
            return validate(Path(path))
        except ModelError as error:
            told = str(error)
            if "\n" in told:
                return "TRACEBACK"
            return f"refused: {'damaged' if '.tflite file' in told else told}"


def watched(worker: Worker, path: Path) -> str:
    """Validate a file in the process; returns the outcome, in capitals if it is a defect."""
    try:
        return str(worker.call("validate", path=str(path)))
    except WorkerCrashError:
        return "KILLED"
    except WorkerLimitError:
        return "HUNG"
    except EdgepackError as error:
        return f"failed: {error}"
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return "TRACEBACK"


def validated(paths: list[Path]) -> Iterator[str]:
    """Validate files one after the other, in a new process after one that died."""
    while paths:
        with Worker("mutants:Service", label="edgepack", limits=WHOLE) as worker:
            while paths:
                path = paths.pop(0)
                found = watched(worker, path)
                yield found
                if found in DEFECTS:
                    print(f"{path.name}: {found}", file=sys.stderr)
                    break


def mutant(data: bytes, number: int, seed: int) -> bytes:
    """Damage a file."""
    random = np.random.default_rng([seed, number])
    kind = number % 3
    if kind == 0:
        return data[: random.integers(8, len(data))]
    changed = np.frombuffer(data, np.uint8).copy()
    places = np.arange(len(data)) if random.random() < 1 / 2 else structure(data)
    if kind == 1:
        for place in random.choice(places, random.integers(1, 9)):
            changed[place] ^= 1 << random.integers(8)
    else:
        for place in random.choice(places, random.integers(1, 4)) // 4 * 4:
            values = (*TELLING, random.integers(1 << 32), random.integers(len(data)))
            changed[place : place + 4] = np.frombuffer(
                int(random.choice(values)).to_bytes(4, "little"), np.uint8
            )[: len(data) - place]
    return changed.tobytes()


def structure(data: bytes) -> NDArray[Any]:
    """Find the places of a file that hold no constant: tables, offsets, lengths, names."""
    whole = np.frombuffer(data, np.uint8)
    is_constant = np.zeros(len(data), np.bool_)
    model = schema.Model.GetRootAs(data, 0)
    for index in range(model.BuffersLength()):
        constant = model.Buffers(index).DataAsNumpy()
        if isinstance(constant, np.ndarray):
            start = constant.ctypes.data - whole.ctypes.data
            is_constant[start : start + len(constant)] = True
    return np.flatnonzero(~is_constant)


def main() -> None:
    """Make the files, validate them and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, help="(default: MLPerf Tiny's)")
    parser.add_argument("--count", type=int, default=1000, help="files in all (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    models = options.models or [
        DATA / name / "reference_int8.tflite" for name in ("kws", "ic", "ad")
    ]
    if missing := [path for path in models if not path.is_file()]:
        sys.exit(f"mutants: {missing[0]} is missing; name .tflite files")
    contents = [path.read_bytes() for path in models]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.tflite" for number in range(options.count)]
        for number, path in enumerate(paths):
            of = number // 3 % len(contents)
            path.write_bytes(mutant(contents[of], number, options.seed))
        shares = [paths[first :: options.jobs] for first in range(options.jobs)]
        with ThreadPoolExecutor(options.jobs) as pool:
            found = Counter(each for its in pool.map(list, map(validated, shares)) for each in its)
    for name, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"{count:6}  {name}")
    print(f"{sum(found.values()):6}  in all")
    sys.exit(bool(DEFECTS & found.keys()))


if __name__ == "__main__":
    main()
