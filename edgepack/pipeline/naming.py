"""Default model names."""

from __future__ import annotations

from pathlib import Path, PurePath

from edgepack.storage.manifest import Manifest


def default_name(path: Path) -> str:
    """Return the name of the model that a .tflite file was exported from, or else the file's own.

    Every export calls its file ``int8.tflite``, so the name comes from the manifest beside it; that
    of a ``float.tflite`` that was quantized again, from the manifest beside that.
    """
    manifest = Manifest.beside(path)
    recipe = manifest.recipe if manifest else None
    *_, source = recipe.source.chain if recipe and recipe.source else [None]
    name = source.name if source else (recipe and recipe.model) or path.name
    return PurePath(name).stem or path.stem
