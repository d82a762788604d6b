#!/usr/bin/env python3
"""Change .tflite files in every way and see what edgepack makes of them; print counts by outcome.

    scripts/mutants.py [MODEL.tflite ...] [--count N] [--seed N] [--jobs N]
                       [--by validate|firmware|inspect] [--only raw|structured]
                       [--time-limit SECONDS] [--keep FOLDER]

Without models, those of MLPerf Tiny at ../shared/data/mlperf_tiny. By turns, a file is truncated,
bits are flipped, fields are overwritten (raw), or what it says is changed and packed again
(structured): indices, shapes, types, options, scales, constants, versions. The same seed makes the
same files. Each goes through a command of edgepack in a process that must answer within 10
seconds, or the --time-limit. What kills that, hangs it, makes it show a traceback or take more than
1 GiB is a defect of edgepack. So is a file that passes though an interpreter refuses it when it is
run by itself, in a process of its own: one of the targets', or the reference kernels and LiteRT's
besides; and one that passes beside a manifest that lists the original. Then this ends with status
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

from edgepack import FirmwareConfig, ValidateConfig, ValidationReport, inspect
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
from edgepack.runtimes.run_service import forget_peak, peak
from edgepack.storage.artifact import describe
from edgepack.storage.manifest import Manifest
from edgepack.workers.client import Limits, Worker

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
MODEL = "int8.tflite"
TIME_S = 10
"""For a file, by all interpreters."""

MEMORY_BYTES = 1 << 30
TARGETS = ("android-arm64", "stm32l4r5zi")
BOARD = "nano-33-ble-sense"
PLAIN_S = 30

REFERENCES = ("tflite-runtime-reference", "litert-kernels")
"""Files that both of them refuse contradict themselves."""

AXIS = "quantized_dimension must be in range"
"""Said of biases as TensorFlow wrote them in 2020, whose axis TensorFlow Lite Micro ignores."""

OWN = {"validate": ("tflite-runtime", "litert", "tflm"), "firmware": ("tflm",), "inspect": ()}
"""By command, the interpreters of its targets."""

DEFECTS = ("KILLED", "HUNG", "TRACEBACK", "MEMORY", "PASSED")
RAW, STRUCTURED = "raw", "structured"
PASSED = "passed: what was changed still makes a model"


def validate(path: Path) -> str:
    """Validate a file; returns the outcome."""
    gate = ValidateConfig(
        model=path, targets=TARGETS, jobs=1, time_limit_s=3, memory_limit_mib=1024
    )
    return outcome(run_validate(gate))


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
    if any(
        "reference kernels refuse" in why
        for each in report.targets.values()
        for why in each.verdict.reasons
    ):
        return "failed: the reference kernels refused it"
    return PASSED if report.passed else "failed: a check"


def firmware(path: Path) -> str:
    """Write firmware of a file; returns the outcome."""
    with tempfile.TemporaryDirectory() as folder:
        build = FirmwareConfig(
            models=(NamedModel(path=path),), target=BOARD, output=Path(folder) / "made"
        )
        report = run_firmware(build)
    return PASSED if report.passed else "failed: a check"


def inspected(path: Path) -> str:
    """Tell what a file holds; returns the outcome."""
    inspect(path)
    return "told"


COMMANDS = {"validate": validate, "firmware": firmware, "inspect": inspected}


def is_let_through(path: Path) -> bool:
    """Whether a file passes with a manifest beside it that lists another."""
    try:
        return run_validate(ValidateConfig(model=path, targets=TARGETS)).passed
    except AlteredError:
        return False


class Service:
    """Runs a command in a process of its own."""

    def run(self, *, by: str, path: str, bundled: str, update: Update) -> str:
        """Take a file by itself, and in a folder with a manifest; returns the outcome."""
        update(0, 1)
        forget_peak()
        before = peak()
        try:
            found = COMMANDS[by](Path(path))
        except UsageError as error:
            found = refusal(Path(path), error)
        if peak() - before > MEMORY_BYTES:
            return f"MEMORY: {(peak() - before) >> 20:,} MiB"
        if by == "validate" and is_let_through(Path(bundled)):
            return "PASSED WITH MANIFEST"
        return found


def refusal(path: Path, error: EdgepackError) -> str:
    """Name what an error says of a file."""
    told = str(error).removeprefix(f"{path}: ")
    if "\n" in told:
        return "TRACEBACK"
    if "no sense can be made of it" in told:
        print(f"{path.name}: {told}", file=sys.stderr)
        return "refused: stumbled over"
    return f"refused: {'damaged' if told.startswith('damaged') else told.split(':')[0][:60]}"


def watched(worker: Worker, path: Path, by: str) -> str:
    """Let the process take a file; returns the outcome, in capitals if it is a defect."""
    try:
        bundled = path.with_suffix("") / MODEL
        found = str(worker.call("run", by=by, path=str(path), bundled=str(bundled)))
    except WorkerCrashError:
        return "KILLED"
    except WorkerLimitError:
        return "HUNG"
    except EdgepackError as error:
        return "TRACEBACK" if "\n" in str(error) else "failed: an interpreter does not run it"
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return "TRACEBACK"
    return contradicted(path, by) if found == PASSED else found


def contradicted(path: Path, by: str) -> str:
    """Name the interpreters that refuse a file that passed."""
    told = plain(path, (*OWN[by], *REFERENCES))
    refused = [name for name in OWN[by] if told[name] != "ran"]
    is_sound = any(told[name] == "ran" or AXIS in told[name] for name in REFERENCES)
    refused += () if is_sound else REFERENCES
    for name in refused:
        print(f"{path.name}: {name}: {told[name]}", file=sys.stderr)
    return f"PASSED, AND REFUSED BY {', '.join(refused)}" if refused else PASSED


def plain(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Run a file on interpreters without edgepack; returns what became of it, by interpreter."""
    told: dict[str, str] = {}
    while left := [name for name in names if name not in told]:
        try:
            done = subprocess.run(
                [sys.executable, plainly.__file__, path, *left],
                capture_output=True,
                text=True,
                timeout=PLAIN_S,
                check=False,
            )
            lines, end = done.stdout, f"ended with status {done.returncode}"
        except subprocess.TimeoutExpired as stopped:
            lines, end = (stopped.stdout or b"").decode(), "hung"
        found = dict(line.split("\t", 1) for line in lines.splitlines() if "\t" in line)
        told |= found
        if not found.keys() >= set(left):
            told[next(name for name in left if name not in found)] = end
    return told


def outcomes(paths: list[Path], by: str, time_s: float) -> Iterator[str]:
    """Take files one after the other, in a new process after one that died."""
    while paths:
        with Worker("mutants:Service", label="edgepack", limits=Limits(time_s=time_s)) as worker:
            while paths:
                path = paths.pop(0)
                found = watched(worker, path, by)
                yield found
                if is_defect(found):
                    print(f"{path.name}: {found}", file=sys.stderr)
                if found in ("KILLED", "HUNG"):
                    break


def is_defect(found: str) -> bool:
    """Whether an outcome is a defect of edgepack."""
    return found.startswith(DEFECTS)


def mutant(data: bytes, number: int, seed: int, only: str | None = None) -> bytes:
    """Change a file: raw and structured by turns, or ``only`` one of them."""
    random = np.random.default_rng([seed, number])
    if (only or (RAW, STRUCTURED)[number % 2]) == STRUCTURED:
        return structured.contradicted(data, random)
    return raw.damaged(data, number // 2 % 3, random)


def write(path: Path, original: bytes, changed: bytes) -> None:
    """Write a changed file, and again into a folder whose manifest lists the original."""
    path.write_bytes(changed)
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / MODEL).write_bytes(original)
    listed = {MODEL: describe(folder / MODEL)}
    told = Manifest(command="quantize", artifacts=listed, asked={}, versions={"edgepack": ""})
    told.write(folder)
    (folder / MODEL).write_bytes(changed)


def main() -> None:
    """Make the files, take them and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, help="(default: MLPerf Tiny's)")
    parser.add_argument("--count", type=int, default=1000, help="files in all (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--time-limit", type=float, default=TIME_S, help=f"seconds for a file (default: {TIME_S})"
    )
    parser.add_argument("--by", choices=COMMANDS, default="validate")
    parser.add_argument("--only", choices=(RAW, STRUCTURED))
    parser.add_argument("--keep", type=Path, help="a folder to leave the files in")
    options = parser.parse_args()
    models = options.models or [
        DATA / name / "reference_int8.tflite" for name in ("kws", "ic", "ad")
    ]
    if missing := [path for path in models if not path.is_file()]:
        sys.exit(f"mutants: {missing[0]} is missing; name .tflite files")
    contents = [path.read_bytes() for path in models]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        paths = [folder / f"{number}.tflite" for number in range(options.count)]
        for number, path in enumerate(paths):
            original = contents[number // 6 % len(contents)]
            write(path, original, mutant(original, number, options.seed, options.only))
        shares = [paths[first :: options.jobs] for first in range(options.jobs)]
        with ThreadPoolExecutor(options.jobs) as pool:
            taken = pool.map(
                lambda share: list(outcomes(share, options.by, options.time_limit)), shares
            )
            found = Counter(each for its in taken for each in its)
    for name, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"{count:6}  {name}")
    print(f"{sum(found.values()):6}  in all")
    sys.exit(any(map(is_defect, found)))


if __name__ == "__main__":
    main()
