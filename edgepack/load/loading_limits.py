"""Limits of the memory and time that loading a model may take, by the size of its files.

A configuration of a few bytes may describe layers of any size, but the weights that a file can hold
are bounded by its size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ModelError, reason
from edgepack.load.weights_checkpoint import checkpoint_parts
from edgepack.workers.process_limits import limited_memory_growth, limited_processor_time

_MIB = 1 << 20
_BYTES_PER_BYTE = 8
"""The file is read, unpacked and inspected, and its weights are created, set and copied."""

_BASE_BYTES = (1024 + 64 * (os.cpu_count() or 1)) * _MIB
"""For Keras's modules, TensorFlow's graphs, and its threads, each with a stack and a heap."""

_BASE_S = 120
_S_PER_MIB = 4
"""Processor time. Loading takes less than a tenth of it; initializers may do any computation."""


@contextmanager
def limited_resources(source: ModelSource) -> Iterator[None]:
    """Limit memory and processor time, in proportion to a model's files, while it is loaded.

    Raises :class:`ModelError` if loading exceeds the memory; exceeding the time ends the process.
    """
    size = sum(path.stat().st_size for path in _files(source))
    bytes_, seconds = _BASE_BYTES + _BYTES_PER_BYTE * size, _BASE_S + _S_PER_MIB * size / _MIB
    try:
        with limited_memory_growth(bytes_), limited_processor_time(seconds):
            yield
    except ModelError as error:
        cause = error.__cause__
        if not isinstance(cause, Exception) or not _is_out_of_memory(cause):
            raise
        raise ModelError(
            f"{source.path}: requires far more memory than its {size:,} bytes explain:"
            f" {reason(cause)}"
        ) from error


def _files(source: ModelSource) -> Iterable[Path]:
    for root in filter(None, (source.path, source.weights)):
        for path in (root, *checkpoint_parts(root), *root.rglob("*")):
            if path.is_file():
                yield path


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
