"""HDF5 files of weights, looked through before Keras reads them.

Such a file may have its values elsewhere: in any file of this machine that it names. And it may
claim to hold far more than its size, for values that are left out take no room.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import shown
from edgepack.load.decompression_bombs import require_in_proportion

_FILTERS = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    32000: "lzf",
}
"""Those that HDF5 and h5py bring themselves; for another, HDF5 looks for a library to load."""

_NUMBERS = "fiub"


def require_own_values(path: Path, file: Any, size: int) -> None:
    """Raise :class:`UnsafeModelError` if an open HDF5 file has values outside itself.

    ``size`` is how many bytes it has. Raises :class:`ModelError` if it claims to hold far more.
    """
    claimed = 0
    for name, item in _items(path, file):
        claimed += _claimed_bytes(path, name, item)
    require_in_proportion(path, claimed, size)


def _items(path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    """Go through groups and datasets, each once, whatever leads to them."""
    import h5py

    waiting, seen = [("/", file["/"])], set()
    while waiting:
        name, group = waiting.pop()
        yield name, group
        if not isinstance(group, h5py.Group):
            continue
        for link in group:
            if not isinstance(link, str):
                raise ModelError(f"{path}: damaged: a name in it is no text")
            whole = f"{name.rstrip('/')}/{link}"
            if group.id.links.get_info(link.encode()).type != h5py.h5l.TYPE_HARD:
                raise UnsafeModelError(
                    f"{path}: {shown(whole)} is a link, which may lead to any file of this machine;"
                    " save the model again with Keras, which writes none"
                )
            item = group[link]
            place = h5py.h5o.get_info(item.id).addr
            if place not in seen:
                seen.add(place)
                waiting.append((whole, item))


def _claimed_bytes(path: Path, name: str, item: Any) -> int:
    """Look at a dataset, if it is one; returns how many bytes its values take."""
    import h5py

    if not isinstance(item, h5py.Dataset):
        return 0
    if item.external or item.is_virtual:
        raise UnsafeModelError(
            f"{path}: the values of {shown(name)} lie in another file of this machine, which would"
            " become weights; save the model again with Keras, which keeps them in the file"
        )
    settings = item.id.get_create_plist()
    filters = [settings.get_filter(index)[0] for index in range(settings.get_nfilters())]
    if unknown := [number for number in filters if number not in _FILTERS]:
        raise UnsafeModelError(
            f"{path}: {shown(name)} is compressed by the filter {unknown[0]}, for which HDF5 would"
            " load a library; save the model again with Keras, which does not compress"
        )
    if item.dtype.kind not in _NUMBERS and item.dtype.kind != "S":
        raise ModelError(f"{path}: damaged: {shown(name)} holds {item.dtype}, no numbers")
    return int(item.size or 0) * int(item.dtype.itemsize)
