"""The shares of a run that processes take, and what they give, joined."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.progress import Update
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import Arrays, blocks, load_array


class Part:
    """The samples of a run that one process takes."""

    answer: Future[Any]

    def __init__(self, asked: dict[str, Any], made: dict[str, str], cut: Path, update: Update):
        self.asked = asked
        self.made = made
        self.cut = cut
        self.done = 0
        self._update = update

    def note(self, done: int, total: int, detail: str = "") -> None:
        """Take the news of the part."""
        self.done = done
        self._update(done, total, detail)

    @property
    def crash(self) -> BaseException | None:
        """What the part raised, if it is over."""
        return self.answer.exception() if self.answer.done() else None


def joined_outputs(parts: list[Part]) -> Arrays | None:
    """Join what the parts gave; None if their shapes differ, or there is nothing in them."""
    made = {name: [load_array(Path(part.made[name])) for part in parts] for name in parts[0].made}
    if any(len({array.shape[1:] for array in arrays}) > 1 for arrays in made.values()):
        return None
    if not all(array.size for arrays in made.values() for array in arrays):
        return None
    return {name: joined([Path(part.made[name]) for part in parts]) for name in made}


def joined(paths: list[Path]) -> NDArray[Any]:
    """Join the parts of an output, block by block, in one file that takes their place."""
    arrays = [load_array(path) for path in paths]
    is_real = arrays[0].dtype.kind == "f"
    if len(arrays) == 1 and not is_real:
        return arrays[0]
    with NpyWriter(paths[0].with_suffix(".joined.npy")) as spool:
        for _, (block,) in chain.from_iterable(map(blocks, arrays)):
            # What is beyond float32 counts as its end, so that differences stay numbers.
            spool.add(np.nan_to_num(block, nan=np.nan) if is_real else block)
    for path in paths:
        path.unlink()
    return load_array(spool.path)


def has_nan(array: NDArray[Any]) -> bool:
    """Whether an array (samples, ...) has NaN anywhere, found by blocks."""
    is_real = array.dtype.kind == "f"
    return is_real and any(np.isnan(block).any() for _, (block,) in blocks(array))
