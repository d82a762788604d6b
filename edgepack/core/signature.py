"""The inputs and outputs of a model: names, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of a model.

    ``shape`` leaves the batch out; None marks a dimension that the model leaves open.
    ``dtype`` is numpy's name.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        """The shape as a person writes it, the batch named.

        >>> str(TensorSpec(name="x", shape=(None, 8), dtype="float32"))
        '(samples, ?, 8) float32'
        """
        sizes = ["samples", *("?" if size is None else str(size) for size in self.shape)]
        return f"({', '.join(sizes)}) {self.dtype}"


def fits(shape: Sequence[int | None], wanted: Sequence[int | None]) -> bool:
    """Whether a shape is the one that is wanted, but for sizes that are left open with None.

    >>> fits((2, 8), (None, 8)), fits((2, 8), (2, 9)), fits((2, 8), (8,))
    (True, False, False)
    """
    return len(shape) == len(wanted) and all(
        size in (None, found) for found, size in zip(shape, wanted, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model takes and gives, in the order of the .tflite file's inputs and outputs."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __str__(self) -> str:
        """What it takes and gives, as a person writes it."""
        return " and ".join(", ".join(map(str, specs)) for specs in (self.inputs, self.outputs))


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model that was loaded in a process of its own; ``runtime`` names what runs it there."""

    signature: Signature
    runtime: str
