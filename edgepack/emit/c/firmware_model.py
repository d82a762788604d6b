"""What is written of a model for firmware: all that the emitters of its files take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgepack.config.preprocessing import Preprocessing
from edgepack.tflite.graph import Model, Tensor


@dataclass(frozen=True, kw_only=True)
class End:
    """An input or output, as the C code calls it.

    ``name`` is ``input`` or ``output``, with a word of its own where there are several; ``title``
    is what people call it.
    """

    name: str
    title: str
    tensor: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Vector:
    """A golden test vector: one array for each input and output, of its shape and type."""

    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirmwareModel:
    """A model as firmware holds it.

    ``name`` is a C identifier that starts all its symbols, in capitals its macros, and names its
    folder. ``data`` are the bytes of the .tflite file, ``model`` is what they say, and ``ends``
    are in the file's order. ``arena_bytes`` is a multiple of 16. ``preprocessing`` is by the
    title of the input; ``labels`` are those of the classes. ``device`` is what it is for, in words.
    """

    name: str
    data: bytes
    model: Model
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    arena_bytes: int
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    device: str = ""
    vectors: tuple[Vector, ...] = ()

    @property
    def macro(self) -> str:
        """What starts the names of its macros."""
        return self.name.upper()
