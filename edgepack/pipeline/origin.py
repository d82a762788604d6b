"""Where a .tflite file comes from, as the folder tells that edgepack wrote it into."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgepack import bundle
from edgepack.artifact import describe_bytes
from edgepack.compress import TECHNIQUES
from edgepack.compress.pruning import Prune
from edgepack.emit.c_array import c_bytes
from edgepack.errors import ReportError
from edgepack.report.comparison import Origin
from edgepack.report.reading import read_json
from edgepack.restore import restore

_FLOAT, _REPORT = "float.tflite", "report.json"
_COMPRESSED = "compressed"  # by what is not known here
_C_ARRAY = re.compile(r"firmware/\w+/model\.c")


def companions(path: Path) -> list[Path]:
    """Name the files beside a .tflite file that are read with it, if they are there."""
    return [path.parent / name for name in (bundle.MANIFEST, _FLOAT, _REPORT)]


def origin(path: Path) -> Origin | None:
    """Tell what the folder of a .tflite file says of it; None if edgepack did not make it there.

    Raises :class:`~edgepack.errors.AlteredError` if the file is not what the manifest beside it
    says, or the manifest is damaged.
    """
    bundle.require_unaltered(path)
    manifest = bundle.listing(path)
    if manifest is None or not bundle.is_unaltered(path):
        return None
    try:
        recipe = restore(dict[str, Any], manifest.get("recipe"))
        versions = restore(dict[str, str], manifest["versions"])
    except ValueError:
        return None  # of a command that made no model, or of another tool
    c_array = _c_array(path, manifest["artifacts"]) if _is_quantized(path, recipe) else None
    return Origin(
        recipe=recipe,
        versions=versions,
        notes=_notes(path.with_name(_REPORT)),
        c_array=None if c_array is None else describe_bytes(c_array),
        is_same_as_c=None
        if c_array is None
        else c_bytes(c_array.decode("latin-1")) == path.read_bytes(),
    )


def pruned_float(path: Path, source: Path) -> Path | None:
    """Find the float model beside a .tflite file that was quantized from it, if it was pruned.

    None if there is none, or it is ``source``. Raises :class:`~edgepack.errors.AlteredError` as
    :func:`origin` does.
    """
    found, beside = origin(path), path.with_name(_FLOAT)
    if found is None or not is_compressed(found.recipe) or not _is_quantized(path, found.recipe):
        return None
    if not beside.is_file() or beside.samefile(source):
        return None
    bundle.require_unaltered(beside)
    return beside if bundle.listing(beside) else None


def is_compressed(recipe: dict[str, Any]) -> bool:
    """Whether the recipe of a manifest compressed the model; earlier ones knew pruning alone."""
    return bool(recipe.get("compress") or recipe.get("prune"))


def compressed_name(found: Origin | None) -> str:
    """Say what a model is called after the last step of compression, as its manifest tells it."""
    steps = found.recipe.get("compress") if found else None
    last = steps[-1] if isinstance(steps, list) and steps else {"technique": Prune.technique}
    name = last.get("technique") if isinstance(last, dict) else None
    known = TECHNIQUES.get(name) if isinstance(name, str) else None
    return known.stage if known else _COMPRESSED


def _is_quantized(path: Path, recipe: dict[str, Any]) -> bool:
    """Whether a file is what the recipe was for, not the float model on the way there."""
    quantization = recipe.get("quantization")
    scheme = quantization.get("scheme") if isinstance(quantization, dict) else None
    return path.name == f"{scheme}.tflite"


def _c_array(path: Path, artifacts: dict[str, Any]) -> bytes | None:
    """Read the model as C, which an export writes; None if it is not there."""
    for name in filter(_C_ARRAY.fullmatch, artifacts):
        file = path.parent / name
        with suppress(OSError):
            if file.is_file():
                return file.read_bytes()
    return None


def _notes(report: Path) -> tuple[str, ...]:
    """Read the notes of the report beside a file, if it is the one that was written with it."""
    if not report.is_file() or not bundle.is_unaltered(report):
        return ()
    try:
        return read_json(report)["notes"].texts() or ()
    except ReportError:
        return ()
