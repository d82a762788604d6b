""".keras files: zip archives, looked through before Keras unpacks them."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import shown
from edgepack.load.decompression_bombs import require_in_proportion
from edgepack.load.hdf5 import require_own_values

CONFIG, METADATA = "config.json", "metadata.json"
_WEIGHTS = "model.weights.h5"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What a .keras file says of its model; ``assets`` are the names of what layers bring more."""

    config: dict[str, Any]
    metadata: dict[str, Any]
    assets: tuple[str, ...]


def read_archive(path: Path) -> Archive:
    """Read a .keras file, but for its weights.

    Raises :class:`ModelError` for what is none, or claims to hold far more than its size.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        names = [member.filename for member in members]
        if missing := sorted({CONFIG, METADATA} - set(names)):
            raise ModelError(
                f"{path}: a zip file, but no .keras model: it holds no {' and no '.join(missing)}"
            )
        if len(names) > len(set(names)):
            raise ModelError(f"{path}: damaged: it contains a file twice")
        require_in_proportion(path, sum(member.file_size for member in members), size)
        config, metadata = (json.loads(archive.read(name)) for name in (CONFIG, METADATA))
    if not (isinstance(config, dict) and isinstance(metadata, dict)):
        raise ModelError(f"{path}: damaged: {CONFIG} or {METADATA} is no mapping")
    assets = tuple(sorted(set(names) - {CONFIG, METADATA, _WEIGHTS}))
    return Archive(config=config, metadata=metadata, assets=assets)


def require_packed_weights(path: Path) -> None:
    """Look through the weights of a .keras file, which :func:`read_archive` has read.

    Raises :class:`ModelError` if they claim to hold far more than their size, and
    :class:`~edgepack.core.errors.UnsafeModelError` if they lie elsewhere.
    """
    import h5py

    with zipfile.ZipFile(path) as archive, tempfile.TemporaryFile() as weights:
        if _WEIGHTS not in archive.namelist():
            return
        with archive.open(_WEIGHTS) as packed:
            shutil.copyfileobj(packed, weights)
        size = weights.tell()  # before HDF5 moves it
        with h5py.File(weights, "r") as file:
            require_own_values(path, file, size)


def require_no_assets(path: Path, assets: Sequence[str]) -> None:
    """Raise :class:`UnsafeModelError` for files that layers would unpack and read."""
    if assets:
        raise UnsafeModelError(
            f"{path}: holds {shown(assets[0])}, which Keras would unpack here; save the model"
            " without StringLookup, TextVectorization and the like, which no device runs, or give"
            " --allow-unsafe if you trust whoever made the file"
        )
