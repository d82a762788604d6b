"""Inspects HDF5 files of weights before Keras reads them.

Such a file may refer to values in any other file on this machine. And it may claim to hold far more
than its size, because values that were never written take no space.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import quote_name
from edgepack.load.decompression_bombs import require_plausible_size

_FILTERS = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    32000: "lzf",
}
"""Filters built into HDF5 and h5py; for any other, HDF5 searches for a library to load."""

_NUMERIC_KINDS = "fiub"


def require_safe_hdf5(path: Path, file: Any, size: int) -> None:
    """Raise :class:`UnsafeModelError` if an open HDF5 file refers to other files or libraries.

    ``size`` is its size in bytes. Raises :class:`ModelError` if it claims to hold far more, or
    contains values that are neither numbers nor byte strings.
    """
    claimed = 0
    for name, item in _items(path, file):
        claimed += _claimed_bytes(path, name, item)
    require_plausible_size(path, claimed, size)


def _items(path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    """Yield groups and datasets with their paths, each once, however many links lead to them."""
    import h5py

    pending, seen = [("/", file["/"])], set()
    while pending:
        name, group = pending.pop()
        yield name, group
        if not isinstance(group, h5py.Group):
            continue
        for link in group:
            if not isinstance(link, str):
                raise ModelError(f"{path}: damaged: a name in it is not text")
            full_name = f"{name.rstrip('/')}/{link}"
            if group.id.links.get_info(link.encode()).type != h5py.h5l.TYPE_HARD:
                raise UnsafeModelError(
                    f"{path}: {quote_name(full_name)} is a link, which may lead to any file on this"
                    " machine; save the model again with Keras, which writes no links"
                )
            item = group[link]
            address = h5py.h5o.get_info(item.id).addr
            if address not in seen:
                seen.add(address)
                pending.append((full_name, item))


def _claimed_bytes(path: Path, name: str, item: Any) -> int:
    """Check an item; return how many bytes its values take, 0 if it is not a dataset."""
    import h5py

    if not isinstance(item, h5py.Dataset):
        return 0
    if item.external or item.is_virtual:
        raise UnsafeModelError(
            f"{path}: the values of {quote_name(name)} are in another file on this machine, which"
            " would become weights; save the model again with Keras, which keeps them in the file"
        )
    settings = item.id.get_create_plist()
    filters = [settings.get_filter(index)[0] for index in range(settings.get_nfilters())]
    if unknown := [number for number in filters if number not in _FILTERS]:
        raise UnsafeModelError(
            f"{path}: {quote_name(name)} is compressed by the filter {unknown[0]}, for which HDF5"
            " would load a library; save the model again with Keras, which does not compress"
        )
    if item.dtype.kind not in _NUMERIC_KINDS and item.dtype.kind != "S":
        raise ModelError(f"{path}: damaged: {quote_name(name)} holds {item.dtype}, not numbers")
    return int(item.size or 0) * int(item.dtype.itemsize)
