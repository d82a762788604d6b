"""A model as the firmware emitters read it: tensors, test vectors and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.tflite.graph import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class GoldenVector:
    """A golden test vector: one array per input and output, of the tensor's shape and dtype."""

    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirmwareModel:
    """A model and what its firmware files need to know about it.

    ``name`` is a C identifier: the prefix of all symbols, in capitals that of all macros, and the
    name of the model's folder. ``data`` holds the bytes of the .tflite file and ``model`` what was
    parsed from them; ``inputs`` and ``outputs`` are in the file's order. ``arena_bytes`` is the
    size of the tensor arena, a multiple of 16. ``preprocessing`` is keyed by the input's title;
    ``labels`` are the class names; ``device`` describes the target device for comments.
    """

    name: str
    data: bytes
    model: Model
    inputs: tuple[IOTensor, ...]
    outputs: tuple[IOTensor, ...]
    arena_bytes: int
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    device: str = ""
    vectors: tuple[GoldenVector, ...] = ()

    @property
    def macro(self) -> str:
        """The prefix of the model's macros."""
        return self.name.upper()
