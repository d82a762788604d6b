"""Inspects .keras files, which are zip archives, before Keras unpacks them."""

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
from edgepack.core.printable import quote_name
from edgepack.load.decompression_bombs import require_plausible_size
from edgepack.load.hdf5 import require_safe_hdf5

CONFIG, METADATA = "config.json", "metadata.json"
_WEIGHTS = "model.weights.h5"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Contents of a .keras file without its weights; ``assets`` are the names of any other files.

    ``config`` is the configuration of the model, ``metadata`` that of the file.
    """

    config: dict[str, Any]
    metadata: dict[str, Any]
    assets: tuple[str, ...]


def read_archive(path: Path) -> Archive:
    """Read a .keras file except for its weights.

    Raises :class:`ModelError` if it is not one, or claims to hold far more than its size allows.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        names = [member.filename for member in members]
        if missing := sorted({CONFIG, METADATA} - set(names)):
            raise ModelError(
                f"{path}: a zip file, but not a .keras model: it has no {' and no '.join(missing)}"
            )
        if len(names) > len(set(names)):
            raise ModelError(f"{path}: damaged: it contains a file twice")
        require_plausible_size(path, sum(member.file_size for member in members), size)
        config, metadata = (json.loads(archive.read(name)) for name in (CONFIG, METADATA))
    if not (isinstance(config, dict) and isinstance(metadata, dict)):
        raise ModelError(f"{path}: damaged: {CONFIG} or {METADATA} is not a mapping")
    assets = tuple(sorted(set(names) - {CONFIG, METADATA, _WEIGHTS}))
    return Archive(config=config, metadata=metadata, assets=assets)


def require_safe_archived_weights(path: Path) -> None:
    """Check the weights of a .keras file that :func:`read_archive` has read.

    Raises :class:`ModelError` if they claim to hold far more than their size allows, and
    :class:`~edgepack.core.errors.UnsafeModelError` if their values are in other files.
    """
    import h5py

    with zipfile.ZipFile(path) as archive, tempfile.TemporaryFile() as weights:
        if _WEIGHTS not in archive.namelist():
            return
        with archive.open(_WEIGHTS) as packed:
            shutil.copyfileobj(packed, weights)
        size = weights.tell()  # before HDF5 moves the position
        with h5py.File(weights, "r") as file:
            require_safe_hdf5(path, file, size)


def require_no_assets(path: Path, assets: Sequence[str]) -> None:
    """Raise :class:`UnsafeModelError` for files that layers would unpack and read."""
    if assets:
        raise UnsafeModelError(
            f"{path}: contains {quote_name(assets[0])}, which Keras would unpack on this"
            " machine; save"
            " the model without StringLookup, TextVectorization and the like, which no device"
            " runs, or use --allow-unsafe if you trust the author of the file"
        )
