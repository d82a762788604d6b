"""Files of a TensorFlow checkpoint, which is identified by their common prefix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgepack.core.errors import UnsafeModelError

_MAX_SHARDS = 100
_PART = re.compile(r"\.(index|data-\d{5}-of-\d{5})$")

_NOT_OF_CHECKPOINTS = (".h5", ".hdf5", ".keras")
"""Keras reads files with these endings as HDF5, whatever other files are beside them."""


def checkpoint_parts(prefix: Path) -> Iterator[Path]:
    """Yield the files of a checkpoint, if it exists, without listing the folder.

    Raises :class:`UnsafeModelError` for links that lead out of the folder.
    """
    if prefix.name.endswith(_NOT_OF_CHECKPOINTS):
        return
    for path in _files(prefix):
        if path.resolve().parent != prefix.parent.resolve():
            raise UnsafeModelError(
                f"{path}: is a link that leads out of its folder; provide the checkpoint itself"
            )
        yield path


def checkpoint_prefix(path: Path) -> Path | None:
    """Return the prefix of the checkpoint that a file is part of; None if there is none.

    >>> checkpoint_prefix(Path("weights.index"))
    """
    prefix = path.with_name(_PART.sub("", path.name))
    return prefix if prefix != path and any(_files(prefix)) else None


def _files(prefix: Path) -> Iterator[Path]:
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file():
        return
    yield index
    for count in range(1, _MAX_SHARDS + 1):
        names = (f"{prefix.name}.data-{each:05}-of-{count:05}" for each in range(count))
        shards = [path for name in names if (path := prefix.with_name(name)).is_file()]
        if shards:
            yield from shards
            return
