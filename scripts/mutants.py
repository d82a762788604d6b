#!/usr/bin/env python3
"""Mutate .tflite files, run edgepack on them, and print counts by outcome.

    scripts/mutants.py [MODEL.tflite ...] [--count N] [--seed N] [--jobs N]
                       [--by validate|firmware|inspect] [--only raw|structured]
                       [--time-limit SECONDS] [--keep FOLDER]

The default models are those of MLPerf Tiny at ../shared/data/mlperf_tiny. By turns, a file is
truncated, its bits are flipped or fields overwritten (raw), or its content is changed and packed
again (structured): indices, shapes, types, options, scales, constants, versions. The same seed
makes the same files. Each goes through a command of edgepack in a process that must answer within
10 seconds, or the --time-limit. It is a defect of edgepack if that process is killed, hangs, shows
a traceback or takes more than 1 GiB; if a file passes that an interpreter rejects when run
directly, in a process of its own (an interpreter of the targets, or both the reference kernels and
LiteRT's); and if a file passes next to a manifest that lists the original. Then the exit status is
1. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mutations import plainly, raw, structured

from edgepack import FirmwareConfig, InspectConfig, ValidateConfig, ValidateReport, inspect
from edgepack import firmware as run_firmware
from edgepack import validate as run_validate
from edgepack.config.firmware import NamedModel
from edgepack.core.errors import (
    AlteredError,
    EdgepackError,
    UsageError,
    WorkerCrashError,
    WorkerLimitError,
)
from edgepack.core.progress import Update
from edgepack.runtimes import RUNTIMES
from edgepack.storage.artifact import describe
from edgepack.storage.manifest import Manifest
from edgepack.workers.client import Limits, Worker
from edgepack.workers.memory import read_peak_memory, reset_peak_memory

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
MODEL = "int8.tflite"
TIME_S = 10
"""The time limit for a file on all interpreters."""

MEMORY_BYTES = 1 << 30
HAS_TFLITE_RUNTIME = RUNTIMES["tflite-runtime"].missing() is None
TARGETS = ("android-arm64" if HAS_TFLITE_RUNTIME else "galaxy-a55", "stm32l4r5zi")
"""A phone and a board whose interpreters are all installed."""

BOARD = "nano-33-ble-sense"
DIRECT_RUN_S = 30

REFERENCES = (*(["tflite-runtime-reference"] * HAS_TFLITE_RUNTIME), "litert-kernels")
"""A file that all of them reject contradicts itself."""

AXIS = "quantized_dimension must be in range"
"""The error for biases as TensorFlow wrote them in 2020; TFLM ignores the axis."""

OWN = {
    "validate": tuple(name for name, each in RUNTIMES.items() if not each.missing()),
    "firmware": ("tflm",),
    "inspect": (),
}
"""By command, the interpreters of its targets."""

DEFECTS = ("KILLED", "HUNG", "TRACEBACK", "MEMORY", "PASSED")
RAW, STRUCTURED = "raw", "structured"
PASSED = "passed: still a valid model"


def validate(path: Path) -> str:
    """Validate a file and return the outcome."""
    config = ValidateConfig(
        model=path, targets=TARGETS, jobs=1, time_limit_s=3, memory_limit_mib=1024
    )
    return outcome(run_validate(config))


def outcome(report: ValidateReport) -> str:
    """Return the outcome of a validation: the worst failure, or that it passed."""
    failures = [run.failure for run in report.runtimes.values() if run.failure]
    for text, result in (
        ("was killed by", "failed: an interpreter crashed"),
        (" was stopped after", "failed: an interpreter needed more time than its limit"),
        (" memory limit", "failed: an interpreter needed more memory than its limit"),
    ):
        if any(text in failure for failure in failures):
            return result
    if failures:
        return "failed: an interpreter rejected it"
    if any(
        "reference kernels reject" in why
        for each in report.targets.values()
        for why in each.verdict.reasons
    ):
        return "failed: the reference kernels rejected it"
    return PASSED if report.passed else "failed: a check"


def firmware(path: Path) -> str:
    """Write firmware for a file and return the outcome."""
    with tempfile.TemporaryDirectory() as folder:
        config = FirmwareConfig(
            models=(NamedModel(path=path),), target=BOARD, output=Path(folder) / "output"
        )
        report = run_firmware(config)
    return PASSED if report.passed else "failed: a check"


def inspected(path: Path) -> str:
    """Inspect a file and return the outcome."""
    inspect(InspectConfig(model=path))
    return "inspected"


COMMANDS = {"validate": validate, "firmware": firmware, "inspect": inspected}


def is_let_through(path: Path) -> bool:
    """Whether a file passes next to a manifest that lists another one."""
    try:
        return run_validate(ValidateConfig(model=path, targets=TARGETS)).passed
    except AlteredError:
        return False


class Service:
    """Runs a command of edgepack; a worker process serves it."""

    def run(self, *, by: str, path: str, bundled: str, update: Update) -> str:
        """Run a command on a file, also in a folder with a manifest, and return the outcome."""
        update(0, 1)
        reset_peak_memory()
        before = read_peak_memory()
        try:
            result = COMMANDS[by](Path(path))
        except UsageError as error:
            result = refusal(Path(path), error)
        if read_peak_memory() - before > MEMORY_BYTES:
            return f"MEMORY: {(read_peak_memory() - before) >> 20:,} MiB"
        if by == "validate" and is_let_through(Path(bundled)):
            return "PASSED WITH MANIFEST"
        return result


def refusal(path: Path, error: EdgepackError) -> str:
    """Return the outcome for an error that a command raised for a file."""
    message = str(error).removeprefix(f"{path}: ")
    if "\n" in message:
        return "TRACEBACK"
    if "its content is inconsistent" in message:
        print(f"{path.name}: {message}", file=sys.stderr)
        return "refused: stumbled over"
    is_faulty = message.startswith(("damaged", "invalid"))
    return f"refused: {'damaged or invalid' if is_faulty else message.split(':')[0][:60]}"


def watched(worker: Worker, path: Path, by: str) -> str:
    """Run a command in the worker and return the outcome, in capitals if it is a defect."""
    try:
        bundled = path.with_suffix("") / MODEL
        result = str(worker.call("run", by=by, path=str(path), bundled=str(bundled)))
    except WorkerCrashError:
        return "KILLED"
    except WorkerLimitError:
        return "HUNG"
    except EdgepackError as error:
        return "TRACEBACK" if "\n" in str(error) else "failed: an interpreter does not run it"
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return "TRACEBACK"
    return contradicted(path, by) if result == PASSED else result


def contradicted(path: Path, by: str) -> str:
    """Return the outcome for a file that passed, by running interpreters on it directly."""
    outcomes = run_directly(path, (*OWN[by], *REFERENCES))
    rejected_by = [name for name in OWN[by] if outcomes[name] != "ran"]
    is_sound = any(outcomes[name] == "ran" or AXIS in outcomes[name] for name in REFERENCES)
    rejected_by += () if is_sound else REFERENCES
    for name in rejected_by:
        print(f"{path.name}: {name}: {outcomes[name]}", file=sys.stderr)
    return f"PASSED, AND REJECTED BY {', '.join(rejected_by)}" if rejected_by else PASSED


def run_directly(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Run a file on interpreters without edgepack and return the outcomes by interpreter."""
    outcomes: dict[str, str] = {}
    while left := [name for name in names if name not in outcomes]:
        try:
            done = subprocess.run(
                [sys.executable, plainly.__file__, path, *left],
                capture_output=True,
                text=True,
                timeout=DIRECT_RUN_S,
                check=False,
            )
            lines, end = done.stdout, f"ended with status {done.returncode}"
        except subprocess.TimeoutExpired as stopped:
            lines, end = (stopped.stdout or b"").decode(), "hung"
        printed = dict(line.split("\t", 1) for line in lines.splitlines() if "\t" in line)
        outcomes |= printed
        if not printed.keys() >= set(left):
            outcomes[next(name for name in left if name not in printed)] = end
    return outcomes


def run_all(paths: list[Path], by: str, time_s: float) -> Iterator[str]:
    """Run a command on files and yield the outcomes; after a crash, continue in a new process."""
    while paths:
        with Worker("mutants:Service", label="edgepack", limits=Limits(time_s=time_s)) as worker:
            while paths:
                path = paths.pop(0)
                result = watched(worker, path, by)
                yield result
                if is_defect(result):
                    print(f"{path.name}: {result}", file=sys.stderr)
                if result in ("KILLED", "HUNG"):
                    break


def is_defect(result: str) -> bool:
    """Whether an outcome is a defect of edgepack."""
    return result.startswith(DEFECTS)


def mutant(data: bytes, number: int, seed: int, only: str | None = None) -> bytes:
    """Return a mutated file: raw and structured by turns, or ``only`` one of them."""
    random = np.random.default_rng([seed, number])
    if (only or (RAW, STRUCTURED)[number % 2]) == STRUCTURED:
        return structured.contradicted(data, random)
    return raw.damaged(data, number // 2 % 3, random)


def write(path: Path, original: bytes, mutated: bytes) -> None:
    """Write a mutated file, and again into a folder whose manifest lists the original."""
    path.write_bytes(mutated)
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / MODEL).write_bytes(original)
    artifacts = {MODEL: describe(folder / MODEL)}
    manifest = Manifest(
        command="quantize", artifacts=artifacts, request={}, versions={"edgepack": ""}
    )
    manifest.write(folder)
    (folder / MODEL).write_bytes(mutated)


def main() -> None:
    """Write the files, run edgepack on them and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, help="(default: MLPerf Tiny's)")
    parser.add_argument("--count", type=int, default=1000, help="number of files (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--time-limit", type=float, default=TIME_S, help=f"seconds for a file (default: {TIME_S})"
    )
    parser.add_argument("--by", choices=COMMANDS, default="validate")
    parser.add_argument("--only", choices=(RAW, STRUCTURED))
    parser.add_argument("--keep", type=Path, help="a folder to keep the files in")
    options = parser.parse_args()
    models = options.models or [
        DATA / name / "reference_int8.tflite" for name in ("kws", "ic", "ad")
    ]
    if missing := [path for path in models if not path.is_file()]:
        sys.exit(f"mutants: {missing[0]} is missing; pass .tflite files")
    contents = [path.read_bytes() for path in models]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        paths = [folder / f"{number}.tflite" for number in range(options.count)]
        for number, path in enumerate(paths):
            original = contents[number // 6 % len(contents)]
            write(path, original, mutant(original, number, options.seed, options.only))
        shares = [paths[first :: options.jobs] for first in range(options.jobs)]
        with ThreadPoolExecutor(options.jobs) as pool:
            results = pool.map(
                lambda share: list(run_all(share, options.by, options.time_limit)), shares
            )
            counts = Counter(result for share in results for result in share)
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"{count:6}  {name}")
    print(f"{sum(counts.values()):6}  in all")
    sys.exit(any(map(is_defect, counts)))


if __name__ == "__main__":
    main()
