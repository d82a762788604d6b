"""What every source of samples offers, and the words for what goes wrong in reading."""

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

BLOCK_BYTES = 1 << 20
"""How much is read at a time: little memory, and few enough turns."""

MOST_ROW_BYTES = 256 << 20
"""Of a sample as it is stored: a photo of 80 million pixels, or half an hour of sound."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a source is read for: a model, of which ``samples`` are wanted; None for all."""

    signature: Signature
    project_file: ProjectFile
    samples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Which of a source's arrays belong to the model: by its inputs, and by its outputs."""

    inputs: dict[str, str]
    labels: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Every array that is to be read."""
        return list(dict.fromkeys([*self.inputs.values(), *self.labels.values()]))


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleBlock:
    """Some samples: ``rows`` counts them in the source, ``values`` has them by array.

    Values are an array (samples, ...), or a list of samples whose shapes may differ.
    """

    rows: Sequence[int]
    values: dict[str, NDArray[Any] | list[NDArray[Any]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """How many samples there are, and the label of each if it has one number."""

    count: int
    labels: NDArray[Any] | None


class SampleSource(Protocol):
    """Named arrays, one row a sample, that are read in order.

    ``name`` is for messages. ``cure`` says how to give one array for each input; it holds
    ``{arguments}`` where they are to be named. ``total`` is the number of samples, if it can be
    told before they are read. ``classes`` are the names of the labels, in their order, if they
    have names. ``kind`` is ``images``, ``sounds`` or ``numbers``.
    Everything raises :class:`DatasetError` for what cannot be read.
    """

    name: str
    cure: str
    total: int | None
    classes: tuple[str, ...]
    kind: str

    def names(self) -> Sequence[str]:
        """Name the arrays."""

    def survey(self, fields: Fields) -> Survey | None:
        """Count the samples and find their labels, without the rest; None for a stream."""

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:
        """Read the samples, or those of the chosen rows, which rise."""

    def sample(self, row: int) -> str:
        """Name a sample in messages."""


@contextmanager
def explain_reading(source: str) -> Iterator[None]:
    """Turn what decoders and the system raise into one sentence."""
    try:
        yield
    except EdgepackError:
        raise
    except FileNotFoundError:
        raise DatasetError(f"{source}: no such dataset; check the path") from None
    except OSError as error:
        raise DatasetError(f"{source}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # A damaged file can break a decoder in ways without a number.
        raise DatasetError(f"{source}: damaged: {reason(error)}") from error


def picked(start: int, stop: int, chosen: NDArray[np.int64] | None) -> Sequence[int]:
    """Find which of the rows from ``start`` up to ``stop`` are wanted."""
    if chosen is None:
        return range(start, stop)
    first, last = np.searchsorted(chosen, (start, stop))
    found: list[int] = chosen[first:last].tolist()
    return found
