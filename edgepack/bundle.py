"""The output folder: it appears whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.errors import AlteredError, OutputError
from edgepack.signals import uninterrupted

MANIFEST = "manifest.json"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file's size and content."""

    bytes: int
    sha256: str


def describe_bytes(data: bytes) -> Artifact:
    """Measure a file that was read."""
    return Artifact(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def describe(path: Path) -> Artifact:
    """Measure a file, or a folder as the sequence of its files, names and contents."""
    digest, size = hashlib.sha256(), 0
    if path.is_file():
        with path.open("rb") as file:
            while data := file.read(_BLOCK_BYTES):
                digest.update(data)
                size += len(data)
        return Artifact(bytes=size, sha256=digest.hexdigest())
    for name, artifact in sorted(describe_all(path).items()):
        digest.update(f"{artifact.sha256}  {name}\n".encode())
        size += artifact.bytes
    return Artifact(bytes=size, sha256=digest.hexdigest())


def describe_all(folder: Path) -> dict[str, Artifact]:
    """Measure every file below a folder, by its path in the folder, in alphabetical order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): describe(path) for path in files}


def listing(path: Path) -> dict[str, Any] | None:
    """Read the manifest beside a file, if edgepack wrote it and it lists the file."""
    manifest = _manifest(path.parent)
    return manifest if manifest and path.name in manifest["artifacts"] else None


def _listed(path: Path) -> Artifact | None:
    """Find what an edgepack manifest beside a file lists of it; None if none does."""
    manifest = listing(path)
    listed = manifest and manifest["artifacts"][path.name]
    try:
        return Artifact(**listed) if listed else None
    except TypeError:
        return None


def require_unaltered(path: Path) -> None:
    """Raise :class:`AlteredError` if a file is not the one that the manifest beside it lists.

    A manifest that cannot be read may have listed it.
    """
    manifest = path.parent / MANIFEST
    try:
        if manifest.exists():
            _parse(manifest)
    except (OSError, ValueError) as error:
        raise AlteredError(
            f"{path}: cannot be held against {MANIFEST} beside it, which is damaged ({error});"
            " export it again, or move it elsewhere"
        ) from error
    if _listed(path) is not None and not is_unaltered(path):
        raise AlteredError(
            f"{path}: is not the file that {MANIFEST} beside it lists (its SHA-256 is another);"
            " export it again, or move it elsewhere if it is meant to differ"
        )


def is_unaltered(path: Path) -> bool:
    """Whether a file is the one that the manifest beside it lists."""
    return _listed(path) == describe(path)


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a folder that edgepack wrote; None if it is no such folder."""
    try:
        manifest = _parse(folder / MANIFEST)
        is_edgepacks = "edgepack" in manifest["versions"] and manifest["artifacts"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if is_edgepacks else None


def _parse(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(path: Path, value: Any) -> None:
    """Write JSON as people read it."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts by their paths in a folder, as they stand: ASCII, lines ended by a newline."""
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("ascii"))


@contextmanager
def stage(output: Path, *, force: bool) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``output`` if the context ends without an exception.

    Raises :class:`OutputError` if ``output`` exists and ``force`` is not set, if it is not a
    folder that edgepack wrote, or if it cannot be written; that includes a full disk.
    """
    with ExitStack() as undo, explained(output):
        output = Path(os.path.realpath(output))
        _check(output, force=force)
        undo.enter_context(_parents(output))
        with uninterrupted():
            folder = Path(tempfile.mkdtemp(prefix=f".{output.name[:64]}.", dir=output.parent))
            undo.callback(_remove, folder)
        folder.chmod(0o777 & ~_umask())  # mkdtemp's folders are the user's alone
        yield folder
        _check(output, force=force)
        with uninterrupted():
            _swap(folder, output)


def _check(output: Path, *, force: bool) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise OutputError(f"{output}: exists and is no folder; choose another --output")
    if not force:
        raise OutputError(f"{output}: exists; replace it with --force, or choose another --output")
    if any(output.iterdir()) and not _is_ours(output):
        raise OutputError(
            f"{output}: --force replaces only a folder that edgepack wrote, and this one holds"
            f" files that no {MANIFEST} of edgepack's lists; choose another --output"
        )


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds what an edgepack manifest in it lists, and nothing else."""
    if (manifest := _manifest(folder)) is None:
        return False
    listed = {MANIFEST, *manifest["artifacts"]}
    files = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return all(path.relative_to(folder).as_posix() in listed for path in files)


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


def _remove(folder: Path) -> None:
    with uninterrupted():
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _parents(output: Path) -> Iterator[None]:
    """Make the folders above the output; those that are still empty at the end go again."""
    made = [parent for parent in output.parents if not parent.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


@contextmanager
def explained(folder: Path, way_out: str = "choose another --output") -> Iterator[None]:
    """Turn the system's refusals to write into one sentence, an :class:`OutputError`."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = error.strerror or f"the disk is full ({error})"
        cure = "free space" if is_full else "check the path and its rights"
        raise OutputError(f"{folder}: cannot be written: {reason}; {cure}, or {way_out}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
