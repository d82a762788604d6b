"""A folder that edgepack wrote, as its manifest tells, and the texts in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgepack.artifact import Artifact, describe
from edgepack.errors import AlteredError

MANIFEST = "manifest.json"


def listing(path: Path) -> dict[str, Any] | None:
    """Read the manifest beside a file, if edgepack wrote it and it lists the file."""
    manifest = manifest_of(path.parent)
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


def manifest_of(folder: Path) -> dict[str, Any] | None:
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
