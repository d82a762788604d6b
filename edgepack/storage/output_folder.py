"""The output folder: it appears whole or not at all, and takes the place of nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from edgepack.core.errors import OutputError
from edgepack.core.printable import shown
from edgepack.core.signals import uninterrupted
from edgepack.core.system_errors import STAGED, explained
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.storage.exchange import exchange, rename_new
from edgepack.storage.manifest import MANIFEST, Manifest
from edgepack.storage.overlap import require_no_overlap, require_unlinked

_MODE = 0o777
_ANOTHER = "choose another --output"


@contextmanager
def staged_output(
    output: Path, command: str, inputs: Iterable[Any], *, force: bool
) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``output`` if the context ends without an exception.

    ``inputs`` is what the command reads, as :func:`~edgepack.storage.overlap.require_no_overlap`
    takes it. Raises :class:`OutputError` if ``output`` holds any of it, if it exists and ``force``
    is not set, if it is not a folder that ``command`` wrote, or if it cannot be written; that
    includes a full disk.
    """
    with ExitStack() as undo, explained(output):
        output, inputs = Path(os.path.realpath(output)), list(inputs)
        _require_folder(output)
        _put_back(output)
        require_no_overlap(output, inputs)
        _require_replaceable(output, command, force=force)
        require_unlinked(output, inputs)
        undo.enter_context(_parents(output))
        folder = undo.enter_context(TemporaryFolder(output.parent, mode=_MODE))
        yield folder
        _require_folder(output)
        _require_replaceable(output, command, force=force)
        with uninterrupted():
            _put_in_place(folder, output, force=force)


def _require_folder(output: Path) -> None:
    if not output.name:
        raise OutputError(f"{output}: is the root of the file system; {_ANOTHER}")
    for place in (output, *output.parents):
        if place.exists() and not place.is_dir():
            raise OutputError(f"{place}: exists and is no folder; {_ANOTHER}")


def _require_replaceable(output: Path, command: str, *, force: bool) -> None:
    if not output.exists():
        return
    if not force:
        raise OutputError(f"{output}: exists; replace it with --force, or {_ANOTHER}")
    if os.path.ismount(output):
        raise OutputError(
            f"{output}: is a disk of its own, not to be replaced; name a folder in it"
        )
    if not any(output.iterdir()):
        return
    manifest = _current_manifest(output)
    strange = next(_not_listed(output, manifest), None)
    if manifest is None or strange is not None:
        what = shown(strange) if strange else "folders"
        raise OutputError(
            f"{output}: --force replaces only a folder that edgepack wrote, and this one holds"
            f" {what}, which no {MANIFEST} of edgepack's lists; {_ANOTHER}"
        )
    if (its := manifest.command) != command:
        who = f"edgepack {its} wrote it" if its else f"its {MANIFEST} names none"
        raise OutputError(
            f"{output}: --force replaces only a folder that the same command wrote, edgepack"
            f" {command}, and {who}; {_ANOTHER}, or remove it yourself"
        )
    if protected := next(_protected(output), None):
        raise OutputError(f"{output}: {protected} is write-protected, so it stays; {_ANOTHER}")


def _protected(output: Path) -> Iterator[Path]:
    """Find folders whose files cannot be removed."""
    for folder in (output, *(path for path in output.rglob("*") if path.is_dir())):
        if not os.access(folder, os.W_OK | os.X_OK):
            yield folder


def _current_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a folder, of the kind that is written today; or None."""
    manifest = Manifest.read(folder)
    return manifest if manifest and manifest.is_current else None


def _not_listed(folder: Path, manifest: Manifest | None) -> Iterator[str]:
    """Find the files of a folder that its manifest does not list: all of them without one."""
    listed = {MANIFEST, *manifest.artifacts} if manifest else set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in listed and (path.is_symlink() or not path.is_dir()):
            yield name


def _put_in_place(folder: Path, output: Path, *, force: bool) -> None:
    """Give a folder its final name; what stood there goes, or comes back if that fails."""
    if not force or not output.exists():
        rename_new(folder, output)
        return
    if exchange(folder, output):
        return  # what stood there lies where scratch is removed
    aside = _aside(output)
    output.rename(aside)
    try:
        folder.rename(output)
    except BaseException:
        aside.rename(output)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _put_back(output: Path) -> None:
    """Undo, or finish, what :func:`_put_in_place` was killed over where nothing is exchanged."""
    aside = _aside(output)
    if not aside.is_dir():
        return
    if not output.exists():
        rename_new(aside, output)
    elif (whole := _current_manifest(output)) and not any(_not_listed(output, whole)):
        shutil.rmtree(aside, ignore_errors=True)


def _aside(output: Path) -> Path:
    """Name the place of what is being replaced: the next run has to find it."""
    name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]
    return output.with_name(f"{STAGED}replaced-{name}")


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
