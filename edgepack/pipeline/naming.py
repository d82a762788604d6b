"""What a model is called by whoever gave no name."""

from __future__ import annotations

from pathlib import Path, PurePath

from edgepack.storage.manifest import Manifest


def default_name(path: Path) -> str:
    """Name a .tflite file as the model that edgepack made it of, or else as the file itself.

    Every export calls its file ``int8.tflite``: the manifest beside it tells the model's name.
    """
    manifest = Manifest.beside(path)
    recipe = manifest.recipe if manifest else None
    name = (recipe and recipe.model) or path.name
    return PurePath(name).stem or path.stem
