"""Where a .tflite file comes from, as the folder tells that edgepack wrote it into."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edgepack.compression import TECHNIQUES
from edgepack.compression.pruning.settings import Prune
from edgepack.config.quantization import FLOAT_TFLITE, tflite_name
from edgepack.core.errors import ReportError
from edgepack.emit.tflm.c_array import c_bytes
from edgepack.report.data.comparison import Origin
from edgepack.report.differences.read_report import read_json
from edgepack.storage.artifact import describe_bytes
from edgepack.storage.manifest import MANIFEST, Manifest, RecordedRecipe, require_unaltered

_REPORT = "report.json"
_COMPRESSED = "compressed"  # by what is not known here
_C_ARRAY = re.compile(r"firmware/\w+/model\.c")


def companion_files(path: Path) -> list[Path]:
    """Name the files beside a .tflite file that are read with it, if they are there."""
    return [path.parent / name for name in (MANIFEST, FLOAT_TFLITE, _REPORT)]


def origin(path: Path) -> Origin | None:
    """Tell what the folder of a .tflite file says of it; None if edgepack did not make it there.

    Raises :class:`~edgepack.core.errors.AlteredError` if the file is not what the manifest beside
    it says, or the manifest is damaged.
    """
    require_unaltered(path)
    manifest = Manifest.beside(path)
    if manifest is None or manifest.recipe is None or not manifest.is_unaltered(path):
        return None
    c_array = _c_array(path, manifest.artifacts) if _is_quantized(path, manifest.recipe) else None
    return Origin(
        recipe=dict(manifest.recipe.told),
        versions=dict(manifest.versions),
        notes=_notes(path.with_name(_REPORT), manifest),
        c_array=None if c_array is None else describe_bytes(c_array),
        is_same_as_c=None
        if c_array is None
        else c_bytes(c_array.decode("latin-1")) == path.read_bytes(),
    )


def pruned_float(path: Path, source: Path) -> Path | None:
    """Find the float model beside a .tflite file that was quantized from it, if it was pruned.

    None if there is none, or it is ``source``. Raises :class:`~edgepack.core.errors.AlteredError`
    as :func:`origin` does.
    """
    found, beside = origin(path), path.with_name(FLOAT_TFLITE)
    recipe = RecordedRecipe(found.recipe if found else {})
    if not recipe.is_compressed or not _is_quantized(path, recipe):
        return None
    if not beside.is_file() or beside.samefile(source):
        return None
    require_unaltered(beside)
    return beside if Manifest.beside(beside) else None


def compressed_name(found: Origin | None) -> str:
    """Say what a model is called after the last step of compression, as its manifest tells it."""
    last = RecordedRecipe(found.recipe).last_technique if found else None
    known = TECHNIQUES.get(Prune.technique if last is None else last)
    return known.stage if known else _COMPRESSED


def _is_quantized(path: Path, recipe: RecordedRecipe) -> bool:
    """Whether a file is what the recipe was for, not the float model on the way there."""
    return recipe.scheme is not None and path.name == tflite_name(recipe.scheme)


def _c_array(path: Path, artifacts: Iterable[str]) -> bytes | None:
    """Read the model as C, which an export writes; None if it is not there."""
    for name in filter(_C_ARRAY.fullmatch, artifacts):
        file = path.parent / name
        with suppress(OSError):
            if file.is_file():
                return file.read_bytes()
    return None


def _notes(report: Path, manifest: Manifest) -> tuple[str, ...]:
    """Read the notes of the report beside a file, if it is the one that was written with it."""
    if not report.is_file() or not manifest.is_unaltered(report):
        return ()
    try:
        return read_json(report)["notes"].texts() or ()
    except ReportError:
        return ()
