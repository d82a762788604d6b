"""The parts of a run, each of which one process takes, and their joined outputs."""

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
    """The samples of a run that one process takes.

    ``arguments`` are those of the service's method, ``outputs`` the paths of the .npy files that
    it writes, by name, and ``truncated`` is the path for truncated copies of the model. ``result``
    is what the method returns.
    """

    result: Future[Any]

    def __init__(
        self, arguments: dict[str, Any], outputs: dict[str, str], truncated: Path, update: Update
    ) -> None:
        self.arguments = arguments
        self.outputs = outputs
        self.truncated = truncated
        self.done = 0
        self._update = update

    def update(self, done: int, total: int, detail: str = "") -> None:
        """Receive and pass on the progress of the part."""
        self.done = done
        self._update(done, total, detail)

    @property
    def error(self) -> BaseException | None:
        """What the part raised, if it has finished."""
        return self.result.exception() if self.result.done() else None


def join_outputs(parts: list[Part]) -> Arrays | None:
    """Join the outputs of the parts; None if their shapes differ, or any of them is empty."""
    outputs = {
        name: [load_array(Path(part.outputs[name])) for part in parts] for name in parts[0].outputs
    }
    if any(len({array.shape[1:] for array in arrays}) > 1 for arrays in outputs.values()):
        return None
    if not all(array.size for arrays in outputs.values() for array in arrays):
        return None
    return {name: join_parts([Path(part.outputs[name]) for part in parts]) for name in outputs}


def join_parts(paths: list[Path]) -> NDArray[Any]:
    """Join the parts of an output, block by block, in one file that replaces theirs."""
    arrays = [load_array(path) for path in paths]
    is_float = arrays[0].dtype.kind == "f"
    if len(arrays) == 1 and not is_float:
        return arrays[0]
    with NpyWriter(paths[0].with_suffix(".joined.npy")) as writer:
        for _, (block,) in chain.from_iterable(map(blocks, arrays)):
            # Infinities become the largest finite values, so that differences are numbers.
            writer.add(np.nan_to_num(block, nan=np.nan) if is_float else block)
    for path in paths:
        path.unlink()
    return load_array(writer.path)


def has_nan(array: NDArray[Any]) -> bool:
    """Whether an array (samples, ...) contains NaN; reads it block by block."""
    is_float = array.dtype.kind == "f"
    return is_float and any(np.isnan(block).any() for _, (block,) in blocks(array))
