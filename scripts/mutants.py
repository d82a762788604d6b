#!/usr/bin/env python3
"""Damage .tflite files in every way and validate them; print the counts by outcome.

    scripts/mutants.py [MODEL.tflite ...] [--count N] [--seed N] [--jobs N]

Without models, those of MLPerf Tiny at ../shared/data/mlperf_tiny. Files are truncated, bits are
flipped, and fields are overwritten, by turns; the same seed makes the same files. Each is validated
in a process that must answer within 10 seconds: what kills that, hangs it or makes it show a
traceback is a defect of edgepack, and so is what passes beside a manifest that lists the original;
then this ends with status 1. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack import Gate, ValidationReport, bundle
from edgepack import validate as run_validate
from edgepack.artifact import describe
from edgepack.errors import (
    AlteredError,
    EdgepackError,
    UsageError,
    WorkerCrashError,
    WorkerLimitError,
)
from edgepack.progress import Update
from edgepack.worker import Limits, Worker

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
MODEL = "int8.tflite"
WHOLE = Limits(time_s=10)
"""For a file, by all interpreters."""

TARGETS = ("android-arm64", "stm32l4r5zi")
DEFECTS = {"KILLED", "HUNG", "TRACEBACK", "PASSED WITH MANIFEST"}
TELLING = (0, 1, 2, 0x7F, 0x80, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values that lengths, offsets and numbers break at."""


def validate(path: Path) -> str:
    """Validate a file; returns the outcome."""
    gate = Gate(model=path, targets=TARGETS, jobs=1, time_limit_s=3, memory_limit_mib=1024)
    try:
        return outcome(run_validate(gate))
    except UsageError as error:
        told = str(error).removeprefix(f"{path}: ")
        if "\n" in told:
            return "TRACEBACK"
        return f"refused: {'damaged' if told.startswith('damaged') else told.split(':')[0]}"


def outcome(report: ValidationReport) -> str:
    """Name the worst that was found."""
    failures = [run.failure for run in report.runtimes.values() if run.failure]
    for word, told in (
        ("was killed by", "failed: an interpreter crashed"),
        (" was stopped after", "failed: an interpreter needed more time than its limit"),
        (" memory limit", "failed: an interpreter needed more memory than its limit"),
    ):
        if any(word in failure for failure in failures):
            return told
    if failures:
        return "failed: an interpreter refused it"
    return "passed: what was changed still makes a model" if report.passed else "failed: a check"


def is_let_through(path: Path) -> bool:
    """Whether a file passes with a manifest beside it that lists another."""
    try:
        return run_validate(Gate(model=path, targets=TARGETS)).passed
    except AlteredError:
        return False


class Service:
    """Validates in a process of its own."""

    def validate(self, *, path: str, bundled: str, update: Update) -> str:
        """Validate a file by itself, and in a folder with a manifest; returns the outcome."""
        update(0, 1)
        found = validate(Path(path))
        return "PASSED WITH MANIFEST" if is_let_through(Path(bundled)) else found


def watched(worker: Worker, path: Path) -> str:
    """Validate a file in the process; returns the outcome, in capitals if it is a defect."""
    try:
        bundled = path.with_suffix("") / MODEL
        return str(worker.call("validate", path=str(path), bundled=str(bundled)))
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
    damaged = changed.tobytes()
    return damaged if damaged != data else data[:-1]


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


def write(path: Path, original: bytes, damaged: bytes) -> None:
    """Write a damaged file, and again into a folder whose manifest lists the original."""
    path.write_bytes(damaged)
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / MODEL).write_bytes(original)
    listed = asdict(describe(folder / MODEL))
    bundle.write_json(
        folder / bundle.MANIFEST, {"versions": {"edgepack": ""}, "artifacts": {MODEL: listed}}
    )
    (folder / MODEL).write_bytes(damaged)


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
            original = contents[number // 3 % len(contents)]
            write(path, original, mutant(original, number, options.seed))
        shares = [paths[first :: options.jobs] for first in range(options.jobs)]
        with ThreadPoolExecutor(options.jobs) as pool:
            found = Counter(each for its in pool.map(list, map(validated, shares)) for each in its)
    for name, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"{count:6}  {name}")
    print(f"{sum(found.values()):6}  in all")
    sys.exit(bool(DEFECTS & found.keys()))


if __name__ == "__main__":
    main()
