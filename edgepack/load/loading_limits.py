"""How much memory and time loading a model may take, by the size of its files.

A configuration of a few bytes may ask for layers of any size; what a file holds of weights it can
fill is bounded by its own size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgepack.config.export import ModelSource
from edgepack.core.errors import ModelError, reason
from edgepack.load.weights_checkpoint import weights_files
from edgepack.workers.resources import computing_at_most, growing_at_most

_MIB = 1 << 20
_TIMES = 8
"""The file is read, unpacked and looked through, and its weights are made, set and copied."""

_ALWAYS_BYTES = (1024 + 64 * (os.cpu_count() or 1)) * _MIB
"""Keras's modules, TensorFlow's graphs, and its threads, each with a stack and a heap."""

_ALWAYS_S = 120
_S_OF_MIB = 4
"""Of a processor. A plain load takes less than a tenth of that; weights may start as anything."""


@contextmanager
def in_proportion(source: ModelSource) -> Iterator[None]:
    """Let a model be loaded in memory and time in proportion to its files, and no more.

    Raises :class:`ModelError` if it asks for more memory; what asks for more time ends the process.
    """
    size = sum(path.stat().st_size for path in _files(source))
    bytes_, seconds = _ALWAYS_BYTES + _TIMES * size, _ALWAYS_S + _S_OF_MIB * size / _MIB
    try:
        with growing_at_most(bytes_), computing_at_most(seconds):
            yield
    except ModelError as error:
        cause = error.__cause__
        if not isinstance(cause, Exception) or not _is_out_of_memory(cause):
            raise
        raise ModelError(
            f"{source.path}: asks for far more memory than its {size:,} bytes explain:"
            f" {reason(cause)}"
        ) from error


def _files(source: ModelSource) -> Iterable[Path]:
    for given in filter(None, (source.path, source.weights)):
        for path in (given, *weights_files(given), *given.rglob("*")):
            if path.is_file():
                yield path


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
