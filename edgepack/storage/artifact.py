"""Size and SHA-256 of files and folders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """The size of a file or folder, and the hash of its content."""

    bytes: int
    sha256: str


def describe_bytes(data: bytes) -> Artifact:
    """Return the size and hash of the content of a file."""
    return Artifact(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def describe_stream(file: BinaryIO) -> Artifact:
    """Return the size and hash of the rest of an open file."""
    digest, size = hashlib.sha256(), 0
    while data := file.read(_BLOCK_BYTES):
        digest.update(data)
        size += len(data)
    return Artifact(bytes=size, sha256=digest.hexdigest())


def describe(path: Path) -> Artifact:
    """Return the size and hash of a file, or of a folder with all its files and their names."""
    if path.is_file():
        with path.open("rb") as file:
            return describe_stream(file)
    digest, size = hashlib.sha256(), 0
    for name, artifact in sorted(describe_all(path).items()):
        digest.update(f"{artifact.sha256}  {name}\n".encode())
        size += artifact.bytes
    return Artifact(bytes=size, sha256=digest.hexdigest())


def describe_all(folder: Path) -> dict[str, Artifact]:
    """Return the size and hash of every file below a folder, by relative path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): describe(path) for path in files}
