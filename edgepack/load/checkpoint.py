"""The files of a TensorFlow checkpoint, which is named by what their names begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_MOST_SHARDS = 100


def checkpoint_files(prefix: Path) -> Iterator[Path]:
    """Find the files of a checkpoint, without listing the folder; none if it is none."""
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file():
        return
    yield index
    for count in range(1, _MOST_SHARDS + 1):
        names = (f"{prefix.name}.data-{each:05}-of-{count:05}" for each in range(count))
        found = [path for name in names if (path := prefix.with_name(name)).is_file()]
        if found:
            yield from found
            return
