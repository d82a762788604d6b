"""What a file holds by its content, to tell a user who exchanged a model and its data."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"
TFLITE_IDENTIFIER = b"TFL3"
TFLITE_IDENTIFIER_AT = slice(4, 8)

_NPY_MAGIC = b"\x93NUMPY"
_KERAS_CONFIG = "config.json"
_SAVED_MODEL = "saved_model.pb"
_HEAD_BYTES = 64

EXCHANGED = "exchange the model and the data if they are swapped"


def holds_arrays(file: IO[bytes]) -> bool:
    """Whether a file holds NumPy's arrays, as an .npz or .npy does."""
    if file.read(_HEAD_BYTES).startswith(_NPY_MAGIC):
        return True
    names = _members(file)
    return bool(names) and all(name.endswith(".npy") for name in names)


def kind_of_model(path: Path) -> str | None:
    """Return what a file or folder is if models are stored so, and data are not; else None."""
    if path.is_dir():
        return "a SavedModel" if (path / _SAVED_MODEL).is_file() else None
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(HDF5_MAGIC):
            return "an HDF5 file, as .h5 models are"
        if head[TFLITE_IDENTIFIER_AT] == TFLITE_IDENTIFIER:
            return "a .tflite model"
        return "a .keras model" if _KERAS_CONFIG in _members(file) else None


def _members(file: IO[bytes]) -> list[str]:
    """Return the names of the files in a zip file; none for another file, or a damaged one."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return []
