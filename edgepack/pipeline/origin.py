"""The origin of a .tflite file, from the manifest and report in its output folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edgepack.compression import TECHNIQUES
from edgepack.compression.pruning.settings import Prune
from edgepack.config.quantization import FLOAT_TFLITE, tflite_name
from edgepack.core.errors import ReportError
from edgepack.emit.tflm.c_array import read_c_array
from edgepack.report.data.compare import Origin
from edgepack.report.differences.read_report import read_json
from edgepack.storage.artifact import describe_bytes
from edgepack.storage.manifest import MANIFEST, Manifest, RecordedRecipe, require_unaltered

_REPORT = "report.json"
_COMPRESSED = "compressed"  # by a technique that this version does not know
_C_ARRAY = re.compile(r"firmware/\w+/model\.c")


def companion_files(path: Path) -> list[Path]:
    """Return the paths beside a .tflite file that are read with it, if they exist."""
    return [path.parent / name for name in (MANIFEST, FLOAT_TFLITE, _REPORT)]


def find_origin(path: Path) -> Origin | None:
    """Return the origin of a .tflite file; None if its folder has no manifest that lists it.

    Raises :class:`~edgepack.core.errors.AlteredError` if the file does not match the manifest
    beside it, or the manifest is damaged.
    """
    require_unaltered(path)
    manifest = Manifest.beside(path)
    if manifest is None or manifest.recipe is None or not manifest.is_unaltered(path):
        return None
    c_array = _c_array(path, manifest.artifacts) if _is_quantized(path, manifest.recipe) else None
    return Origin(
        recipe=dict(manifest.recipe.values),
        versions=dict(manifest.versions),
        notes=_notes(path.with_name(_REPORT), manifest),
        c_array=None if c_array is None else describe_bytes(c_array),
        is_same_as_c=None
        if c_array is None
        else read_c_array(c_array.decode("latin-1")) == path.read_bytes(),
    )


def compressed_float(path: Path, source: Path) -> Path | None:
    """Return the compressed float model beside a .tflite file that was quantized from it.

    None if the file was not compressed, or that model does not exist or is ``source``. Raises
    :class:`~edgepack.core.errors.AlteredError` as :func:`find_origin` does.
    """
    own_origin, float_file = find_origin(path), path.with_name(FLOAT_TFLITE)
    recipe = RecordedRecipe(own_origin.recipe if own_origin else {})
    if not recipe.is_compressed or not _is_quantized(path, recipe):
        return None
    if not float_file.is_file() or float_file.samefile(source):
        return None
    require_unaltered(float_file)
    return float_file if Manifest.beside(float_file) else None


def compressed_name(origin: Origin | None) -> str:
    """Return the stage name of a compressed model: that of the last technique in its recipe."""
    last = RecordedRecipe(origin.recipe).last_technique if origin else None
    known = TECHNIQUES.get(Prune.technique if last is None else last)
    return known.stage if known else _COMPRESSED


def _is_quantized(path: Path, recipe: RecordedRecipe) -> bool:
    """Whether a file is the recipe's quantized model, not the intermediate float model."""
    return recipe.scheme is not None and path.name == tflite_name(recipe.scheme)


def _c_array(path: Path, artifacts: Iterable[str]) -> bytes | None:
    """Read the C source of the model that an export writes; None if it is missing."""
    for name in filter(_C_ARRAY.fullmatch, artifacts):
        file = path.parent / name
        with suppress(OSError):
            if file.is_file():
                return file.read_bytes()
    return None


def _notes(report: Path, manifest: Manifest) -> tuple[str, ...]:
    """Read the notes of a report; none if it is not the one that the manifest lists."""
    if not report.is_file() or not manifest.is_unaltered(report):
        return ()
    try:
        return read_json(report)["notes"].texts() or ()
    except ReportError:
        return ()
