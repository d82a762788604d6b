"""What a model is called by whoever gave no name."""

from __future__ import annotations

from pathlib import Path, PurePath

from edgepack import bundle


def default_name(path: Path) -> str:
    """Name a .tflite file as the model that edgepack made it of, or else as the file itself.

    Every export calls its file ``int8.tflite``: the manifest beside it tells the model's name.
    """
    try:
        name = (bundle.listing(path) or {})["recipe"]["model"]["name"]
        return PurePath(str(name)).stem or path.stem
    except (KeyError, TypeError):
        return path.stem
