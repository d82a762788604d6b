#!/usr/bin/env python3
"""Damage models and data of every format, and read them; print the counts by outcome.

    scripts/input_mutants.py [--count N] [--seed N] [--jobs N] [FORMAT ...]

The formats are h5, keras, saved-model, npz and toml. Small files of each are made, and damaged by
turns: truncated, bits flipped, bytes overwritten, or what they say changed and packed again. The
same seed makes the same files. Each is read as edgepack reads it, in a process that must answer
within 10 seconds: what kills that, hangs it or makes it show a traceback is a defect of edgepack;
then this ends with status 1. Takes some minutes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.model_source import ModelSource
from edgepack.config.project_file import ProjectFile, read_project_file
from edgepack.core.errors import EdgepackError, UsageError, WorkerCrashError, WorkerLimitError
from edgepack.core.progress import Update
from edgepack.core.signature import Signature, TensorSpec
from edgepack.devices.target import load_target
from edgepack.load import load_model
from edgepack.workers.client import Limits, Worker

FORMATS = ("h5", "keras", "saved-model", "npz", "toml")
LIMITS = Limits(time_s=10, memory_bytes=6 << 30)
DEFECTS = {"KILLED", "HUNG", "TRACEBACK"}
ODD = (None, True, -1, 0, 1 << 31, 1 << 63, 1e308, -0.5, "", "\x1b[31m", "/etc/passwd", [], {})
"""Values that lengths, names and structures break at."""

RECIPE = """
[data]
label = "y"
[preprocessing]
resize = [8, 8]
scale = 0.00392156862745098
mean = [0.5, 0.5, 0.5]
[budgets]
max_drop = 1.0
"""


class Reading:
    """Makes models, and reads what came of them."""

    def make(self, *, folder: str, update: Update) -> None:
        """Save a small model in each format."""
        import tf_keras

        update(0, 1)
        tf_keras.utils.set_random_seed(0)
        layers = tf_keras.layers
        model = tf_keras.Sequential(
            [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
        )
        for name in ("model.h5", "model.keras", "saved"):
            model.save(Path(folder) / name)

    def read(self, *, path: str, update: Update) -> str:
        """Read a file or folder; returns the outcome."""
        update(0, 1)
        try:
            self._read(Path(path))
        except UsageError as error:
            message = str(error).removeprefix(f"{path}: ")
            return "TRACEBACK" if "\n" in message else f"refused: {type(error).__name__}"
        except EdgepackError as error:
            return f"failed: {type(error).__name__}"
        return "taken: what was changed still makes one"

    def _read(self, path: Path) -> None:
        if path.suffix == ".toml":
            read_project_file(path)
            load_target(str(path))
        elif path.suffix == ".npz":
            spec = TensorSpec(name="x", shape=(8, 8, 3), dtype="float32")
            signature = Signature(
                inputs=(spec,), outputs=(TensorSpec(name="o", shape=(3,), dtype="float32"),)
            )
            with (
                tempfile.TemporaryDirectory() as work,
                dataset_reader([path], ProjectFile()) as reading,
            ):
                reading.read(path, signature, Path(work) / "read")
        else:
            load_model(ModelSource(path=path))


def with_damaged_bytes(data: bytes, random: np.random.Generator) -> bytes:
    """Truncate bytes, flip bits in them, or write over them."""
    kind = random.integers(3)
    if kind == 0:
        return data[: random.integers(1, len(data))]
    changed = np.frombuffer(data, np.uint8).copy()
    for place in random.integers(0, len(data), random.integers(1, 9)):
        if kind == 1:
            changed[place] ^= 1 << random.integers(8)
        else:
            changed[place : place + 4] = random.integers(0, 256)
    return changed.tobytes()


def changed(node: Any, random: np.random.Generator) -> Any:
    """Put an odd value, or a copy of another part, somewhere into what JSON holds."""
    places: list[tuple[Any, Any]] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        keys = each.keys() if isinstance(each, dict) else range(len(each))
        places += [(each, key) for key in keys]
        waiting += [each[key] for key in keys if isinstance(each[key], dict | list)]
    for index in random.integers(0, len(places), random.integers(1, 4)):
        holder, key = places[index]
        other, place = places[random.integers(len(places))]
        copied = json.loads(json.dumps(other[place]))
        holder[key] = copied if random.random() < 1 / 3 else ODD[random.integers(len(ODD))]
    return node


def mutate_h5(path: Path, random: np.random.Generator) -> None:
    """Change what an HDF5 file says of its model, or a dataset's shape and type."""
    with h5py.File(path, "r+") as file:
        if random.random() < 1 / 2:
            config = json.loads(file.attrs["model_config"])
            file.attrs["model_config"] = json.dumps(changed(config, random))
            return
        found: list[str] = []
        file.visit(found.append)
        name = found[random.integers(len(found))]
        if not isinstance(file[name], h5py.Dataset) or random.random() < 1 / 4:
            del file[name]
            return
        del file[name]
        shape = tuple(random.integers(0, 1 << random.integers(1, 20), random.integers(0, 4)))
        kind = ("f4", "i1", "f8", "S4", "u2")[random.integers(5)]
        file.create_dataset(name, shape, kind, chunks=True if shape else None)


def mutate_keras(path: Path, random: np.random.Generator) -> None:
    """Change a member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[random.integers(len(members))]
    if name.endswith(".json") and random.random() < 2 / 3:
        members[name] = json.dumps(changed(json.loads(members[name]), random)).encode()
    else:
        members[name] = with_damaged_bytes(members[name], random)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in members.items():
            archive.writestr(each, data)


def mutate_npz(path: Path, random: np.random.Generator) -> None:
    """Change the head or the values of an array."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[random.integers(len(members))]
    made = io.BytesIO()
    shape = [str(random.choice([0, 1, 8, -1, 1 << 40, "8" * 5000, "("])) for _ in range(4)]
    descr = random.choice(["<f4", "|O", "<U9", "V9", ">f8", "[('a','f4')]", "((" * 200])
    head = f"{{'descr': '{descr}', 'fortran_order': {random.choice(['True', 'False', '1'])}, "
    head += f"'shape': ({', '.join(shape)},)}}\n"
    made.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(4, "little")[:2] + head.encode())
    members[name] = made.getvalue()[: 1 << 15] + members[name][128:]
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)


def mutate_toml(path: Path, random: np.random.Generator) -> None:
    """Put an odd value in the place of one."""
    lines = path.read_text().splitlines()
    index = random.integers(len(lines))
    odd = (
        "9" * 5000,
        "[" * 3000,
        '"\\u202e"',
        "nan",
        "-inf",
        "{a=1}",
        "[[1]]",
        "1979-05-27",
        '"""',
    )
    lines[index] = f"{lines[index].partition('=')[0]}= {odd[random.integers(len(odd))]}"
    path.write_text("\n".join(lines))


def mutate(path: Path, kind: str, number: int, seed: int) -> None:
    """Damage a file, or one of a folder's."""
    random = np.random.default_rng([seed, FORMATS.index(kind), number])
    structured = {"h5": mutate_h5, "keras": mutate_keras, "npz": mutate_npz, "toml": mutate_toml}
    if kind in structured and number % 2:
        structured[kind](path, random)
        return
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        path = files[random.integers(len(files))]
    path.write_bytes(with_damaged_bytes(path.read_bytes(), random))


def watched(paths: Sequence[Path]) -> Iterator[str]:
    """Read files one after the other, in a new process after one that died."""
    waiting = list(paths)
    while waiting:
        with Worker("input_mutants:Reading", label="edgepack", limits=LIMITS) as worker:
            while waiting:
                path = waiting.pop(0)
                try:
                    found = str(worker.call("read", path=str(path)))
                except WorkerCrashError:
                    found = "KILLED"
                except WorkerLimitError as error:
                    found = "HUNG" if error.resource == "time" else "refused: memory"
                except RuntimeError as error:
                    print(error, file=sys.stderr)
                    found = "TRACEBACK"
                if found in DEFECTS:
                    print(f"{path.name}: {found}", file=sys.stderr)
                yield found
                if found in ("KILLED", "HUNG"):
                    break


def originals(folder: Path) -> dict[str, Path]:
    """Make a small file of each format."""
    with Worker("input_mutants:Reading", label="edgepack") as worker:
        worker.call("make", folder=str(folder))
    random = np.random.default_rng(0)
    np.savez(folder / "data.npz", x=random.normal(size=(9, 8, 8, 3)), y=random.integers(0, 3, 9))
    (folder / "recipe.toml").write_text(RECIPE)
    names = ("model.h5", "model.keras", "saved", "data.npz", "recipe.toml")
    return {kind: folder / name for kind, name in zip(FORMATS, names, strict=True)}


def main() -> None:
    """Make the files, read them and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="(default: all)")
    parser.add_argument("--count", type=int, default=300, help="of each format (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if unknown := set(options.formats) - set(FORMATS):
        parser.error(f"no such format: {min(unknown)}; the formats are {', '.join(FORMATS)}")
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = originals(folder)
        for kind in options.formats or FORMATS:
            paths = []
            for number in range(options.count):
                path = folder / f"{kind}-{number}{made[kind].suffix}"
                (shutil.copytree if made[kind].is_dir() else shutil.copy)(made[kind], path)
                mutate(path, kind, number, options.seed)
                paths.append(path)
            shares = [paths[first :: options.jobs] for first in range(options.jobs)]
            with ThreadPoolExecutor(options.jobs) as pool:
                runs = pool.map(lambda share: list(watched(share)), shares)
                found = Counter(each for its in runs for each in its)
            print(kind)
            for name, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])):
                print(f"{count:6}  {name}")
            total += found
    print(f"{sum(total.values())} in all")
    sys.exit(bool(DEFECTS & total.keys()))


if __name__ == "__main__":
    main()
