"""The inputs and outputs of a model: names, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of a model.

    ``shape`` excludes the batch dimension; None marks a dynamic dimension. ``dtype`` is numpy's
    name of the data type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        """The shape and dtype for a message, with the batch dimension as ``samples``.

        >>> str(TensorSpec(name="x", shape=(None, 8), dtype="float32"))
        '(samples, ?, 8) float32'
        """
        sizes = ["samples", *("?" if size is None else str(size) for size in self.shape)]
        return f"({', '.join(sizes)}) {self.dtype}"


def shape_fits(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    """Whether a shape equals the expected one, in which None matches any size.

    >>> shape_fits((2, 8), (None, 8)), shape_fits((2, 8), (2, 9)), shape_fits((2, 8), (8,))
    (True, False, False)
    """
    return len(shape) == len(expected) and all(
        size in (None, actual) for actual, size in zip(shape, expected, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The inputs and outputs of a model, in the order of the .tflite file."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __str__(self) -> str:
        """The inputs and outputs for a message."""
        return " and ".join(", ".join(map(str, specs)) for specs in (self.inputs, self.outputs))


@dataclass(frozen=True, kw_only=True)
class LoadedModelInfo:
    """A model that was loaded in a worker process.

    ``runtime`` names the library that runs it; ``notes`` say how it differs from its file.
    """

    signature: Signature
    runtime: str
    notes: tuple[str, ...] = ()
