"""The protocol of every source of samples, and the errors of reading one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import DatasetError, EdgepackError, reason
from edgepack.core.signature import Signature
from edgepack.core.user_files import require_readable

BLOCK_BYTES = 1 << 20
"""How much is read at a time, in bytes: small in memory, but large enough to be fast."""

MAX_ROW_BYTES = 256 << 20
"""The largest stored sample, in bytes: a photo of 80 million pixels, half an hour of audio."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a source is read for: a model, its project file, and how many samples (None: all)."""

    signature: Signature
    project_file: ProjectFile
    samples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The names of the source's arrays for each input of a model, and for labels by output."""

    inputs: dict[str, str]
    labels: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The arrays to read, each once."""
        return list(dict.fromkeys([*self.inputs.values(), *self.labels.values()]))


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleBlock:
    """Some samples: ``rows`` are their rows in the source, ``values`` has them by array.

    Each of the values is an array (samples, ...), or a list of samples whose shapes may differ.
    """

    rows: Sequence[int]
    values: dict[str, NDArray[Any] | list[NDArray[Any]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """The number of samples, and their labels (samples,) if each is a single number."""

    count: int
    labels: NDArray[Any] | None


class SampleSource(Protocol):
    """Named arrays with one row per sample, read in order.

    ``name`` is for messages. ``cure`` is the advice on how to provide one array for each input,
    with ``{arguments}`` in place of their names. ``total`` is the number of samples, if it is
    known before they are read. ``classes`` are the names of the classes, in the order of their
    numbers, if they have names. ``kind`` is ``images``, ``sounds`` or ``numbers``.
    All methods raise :class:`DatasetError` for data that cannot be read.
    """

    name: str
    cure: str
    total: int | None
    classes: tuple[str, ...]
    kind: str

    def names(self) -> Sequence[str]:
        """Return the names of the arrays."""

    def survey(self, fields: Fields) -> Survey | None:
        """Count the samples and read their labels only; None for a stream."""

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:
        """Read all samples, or those of the chosen rows, which are in ascending order."""

    def sample(self, row: int) -> str:
        """Return the name of a sample, for messages."""


@contextmanager
def read_errors(source: str) -> Iterator[None]:
    """Convert the exceptions of decoders and of the system to one-line :class:`DatasetError`."""
    try:
        with require_readable(source, DatasetError, "dataset"):
            yield
    except EdgepackError:
        raise
    except Exception as error:
        # A damaged file can make a decoder fail in countless ways.
        raise DatasetError(f"{source}: damaged: {reason(error)}") from error


def rows_between(start: int, stop: int, chosen: NDArray[np.int64] | None) -> Sequence[int]:
    """Return the chosen rows, or all if None, from ``start`` up to but excluding ``stop``."""
    if chosen is None:
        return range(start, stop)
    first, last = np.searchsorted(chosen, (start, stop))
    rows: list[int] = chosen[first:last].tolist()
    return rows
