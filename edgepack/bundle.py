"""The output folder: it appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.errors import OutputError

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file's size and content."""

    bytes: int
    sha256: str


def describe(path: Path) -> Artifact:
    """Measure a file, or a folder as the sequence of its files, names and contents."""
    if path.is_file():
        data = path.read_bytes()
        return Artifact(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    digest, size = hashlib.sha256(), 0
    for name, artifact in sorted(describe_all(path).items()):
        digest.update(f"{artifact.sha256}  {name}\n".encode())
        size += artifact.bytes
    return Artifact(bytes=size, sha256=digest.hexdigest())


def describe_all(folder: Path) -> dict[str, Artifact]:
    """Measure every file below a folder, by its path in the folder, in alphabetical order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): describe(path) for path in files}


def write_json(path: Path, value: Any) -> None:
    """Write JSON as people read it."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


@contextmanager
def stage(output: Path, *, force: bool) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``output`` if the context ends without an exception.

    Raises :class:`OutputError` if ``output`` exists and ``force`` is not set, if it is not a
    folder that edgepack wrote, or if it cannot be written; that includes a full disk.
    """
    output = Path(os.path.realpath(output))
    _check(output, force=force)
    made = [parent for parent in output.parents if not parent.exists()]
    with ExitStack() as undo, _explained(output):
        undo.callback(_remove_empty, made)
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o777 & ~_umask())  # mkdtemp's folders are the user's alone
        yield folder
        _check(output, force=force)
        _swap(folder, output)


def _check(output: Path, *, force: bool) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise OutputError(f"{output}: exists and is no folder; choose another --output")
    if not force:
        raise OutputError(f"{output}: exists; replace it with --force, or choose another --output")
    if any(output.iterdir()) and not (output / MANIFEST).is_file():
        raise OutputError(
            f"{output}: --force replaces only a folder that edgepack wrote, and this one holds"
            f" no {MANIFEST}; choose another --output"
        )


def _swap(folder: Path, output: Path) -> None:
    """Put a folder in the place of another; what stood there comes back if that fails."""
    if not output.exists():
        folder.rename(output)
        return
    old = folder.with_name(f"{folder.name}.old")
    output.rename(old)
    try:
        folder.rename(output)
    except BaseException:
        old.rename(output)
        raise
    shutil.rmtree(old)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, inner ones first, but none that holds something."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _explained(output: Path) -> Iterator[None]:
    """Turn the system's refusals into one sentence."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{output}: cannot be written: {error.strerror or f'the disk is full ({error})'};"
            " free space or choose another --output"
        ) from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
