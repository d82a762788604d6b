"""The output folder of a command: written atomically, and never in place of anything else."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from edgepack.core.errors import OutputError
from edgepack.core.printable import quote_name
from edgepack.core.signals import ignore_interrupts
from edgepack.core.system_errors import STAGED, explain_write_errors
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.storage.atomic_rename import exchange_paths, rename_new
from edgepack.storage.manifest import MANIFEST, Manifest
from edgepack.storage.overlap import require_no_hard_links, require_no_overlap

_MODE = 0o777
_ANOTHER = "choose another --output"


@contextmanager
def staged_output(
    output: Path, command: str, inputs: Iterable[Any], *, force: bool
) -> Iterator[Path]:
    """Yield a folder to fill, which becomes ``output`` if the context ends without an exception.

    ``inputs`` is what the command reads, see
    :func:`~edgepack.storage.overlap.require_no_overlap`. Raises :class:`OutputError` if ``output``
    contains any of it, if it exists and ``force`` is not set, if it is not a folder that
    ``command`` wrote, or if it cannot be written, for example because the disk is full.
    """
    with ExitStack() as undo, explain_write_errors(output):
        output, inputs = Path(os.path.realpath(output)), list(inputs)
        _require_folder(output)
        _recover(output)
        require_no_overlap(output, inputs)
        _require_replaceable(output, command, force=force)
        require_no_hard_links(output, inputs)
        undo.enter_context(_parents(output))
        folder = undo.enter_context(TemporaryFolder(output.parent, mode=_MODE))
        yield folder
        _require_folder(output)
        _require_replaceable(output, command, force=force)
        with ignore_interrupts():
            _put_in_place(folder, output, force=force)


def _require_folder(output: Path) -> None:
    if not output.name:
        raise OutputError(f"{output}: is the root of the file system; {_ANOTHER}")
    for path in (output, *output.parents):
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path}: exists and is not a folder; {_ANOTHER}")


def _require_replaceable(output: Path, command: str, *, force: bool) -> None:
    if not output.exists():
        return
    if not force:
        raise OutputError(f"{output}: exists; replace it with --force, or {_ANOTHER}")
    if os.path.ismount(output):
        raise OutputError(
            f"{output}: is a mount point, which cannot be replaced; choose a folder in it"
        )
    if not any(output.iterdir()):
        return
    manifest = _current_manifest(output)
    unlisted = next(_unlisted(output, manifest), None)
    if manifest is None or unlisted is not None:
        what = quote_name(unlisted) if unlisted else "folders"
        raise OutputError(
            f"{output}: --force replaces only a folder that edgepack wrote, and this one contains"
            f" {what}, which no {MANIFEST} of edgepack lists; {_ANOTHER}"
        )
    if (writer := manifest.command) != command:
        who = f"edgepack {writer} wrote it" if writer else f"its {MANIFEST} names no command"
        raise OutputError(
            f"{output}: --force replaces only a folder that the same command wrote, edgepack"
            f" {command}, but {who}; {_ANOTHER}, or remove it yourself"
        )
    if protected := next(_protected(output), None):
        raise OutputError(
            f"{output}: cannot be replaced, for {protected} is write-protected; {_ANOTHER}"
        )


def _protected(output: Path) -> Iterator[Path]:
    """Yield the folders whose files cannot be removed."""
    for folder in (output, *(path for path in output.rglob("*") if path.is_dir())):
        if not os.access(folder, os.W_OK | os.X_OK):
            yield folder


def _current_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a folder; None if it is missing or of another schema version."""
    manifest = Manifest.read(folder)
    return manifest if manifest and manifest.is_current else None


def _unlisted(folder: Path, manifest: Manifest | None) -> Iterator[str]:
    """Yield the files of a folder that its manifest does not list: all, without a manifest."""
    listed = {MANIFEST, *manifest.artifacts} if manifest else set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in listed and (path.is_symlink() or not path.is_dir()):
            yield name


def _put_in_place(folder: Path, output: Path, *, force: bool) -> None:
    """Rename a folder to ``output``; a former one is removed, or restored if that fails."""
    if not force or not output.exists():
        rename_new(folder, output)
        return
    if exchange_paths(folder, output):
        return  # the former folder is now the temporary one, which is removed
    backup = _backup_path(output)
    output.rename(backup)
    try:
        folder.rename(output)
    except BaseException:
        backup.rename(output)
        raise
    shutil.rmtree(backup, ignore_errors=True)


def _recover(output: Path) -> None:
    """Undo or finish a replacement in two renames during which the process was killed."""
    backup = _backup_path(output)
    if not backup.is_dir():
        return
    if not output.exists():
        rename_new(backup, output)
    elif (manifest := _current_manifest(output)) and not any(_unlisted(output, manifest)):
        shutil.rmtree(backup, ignore_errors=True)


def _backup_path(output: Path) -> Path:
    """Return the path of the folder that is being replaced, where the next run finds it."""
    name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]
    return output.with_name(f"{STAGED}replaced-{name}")


@contextmanager
def _parents(output: Path) -> Iterator[None]:
    """Make the folders above the output; those that are still empty at the end are removed."""
    made = [parent for parent in output.parents if not parent.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
