"""The pieces into which an output is split: what its CONCATENATION or PACK puts side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.graph import Graph
from edgepack.tflite.moved_values import CONVERSIONS, JOINS
from edgepack.tflite.value_origins import Origins, Tracer, ValueSource

Array = NDArray[Any]

Region = tuple[tuple[int, int], ...]
"""Part of a sample: for each axis without that of the samples, the first index and the end."""

_MAX_RANK = 6  # of TRANSPOSE


@dataclass(frozen=True, kw_only=True)
class OutputPiece:
    """A region of an output, which holds the values of a ``tensor``.

    They are in its order, unless the axes of the tensor have to be transposed by ``permutation``.
    """

    tensor: int
    region: Region
    permutation: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """The pieces of an output, and the indices of the ``operators`` that they replace.

    ``obstacle`` is why there are none. ``mixers`` are the operators that spread the parts over the
    output, if only these are in the way.
    """

    pieces: tuple[OutputPiece, ...] = ()
    operators: tuple[int, ...] = ()
    obstacle: str | None = None
    mixers: tuple[str, ...] = ()


def whole(shape: tuple[int, ...]) -> Region:
    """Return the region of all values of samples of a shape.

    >>> whole((64, 14))
    ((0, 64), (0, 14))
    """
    return tuple((0, size) for size in shape)


def region_of(positions: Array, shape: Sequence[int]) -> tuple[Region, bool]:
    """Return the smallest region that has all positions, and whether it has no others.

    ``positions`` are distinct indices into a flattened sample of a shape.

    >>> region_of(np.array([0, 2]), (2, 2))
    (((0, 2), (0, 1)), True)
    """
    along = np.unravel_index(positions, tuple(shape))
    region = tuple((int(axis.min()), int(axis.max()) + 1) for axis in along)
    return region, prod(end - first for first, end in region) == len(positions)


def find_pieces(graph: Graph, tracer: Tracer, output: int, operator: str) -> Pieces:
    """Return the pieces of an output that is joined, and then no more than moved.

    ``operator`` is the one that joins its parts, or else computes it.
    """
    origins = tracer.joined(output)
    if not origins.followed:
        return Pieces(obstacle=_why_not_joined(tracer, output, operator))
    obstacle = next(_obstacles(graph, tracer, origins, output), None)
    if obstacle:
        return Pieces(obstacle=obstacle)
    values = origins.values.reshape(graph.tensors[output].sample_shape)
    found = [_piece(graph, values, source) for source in origins.sources]
    pieces = tuple(piece for piece in found if piece)
    if len(pieces) == len(found) and sum(each.size for each in origins.sources) == values.size:
        return Pieces(pieces=pieces, operators=tuple(tracer.writers[i] for i in origins.followed))
    names = [graph.operators[tracer.writers[index]].name for index in origins.followed]
    join = next(name for name in names if name in JOINS)
    mixers = tuple(dict.fromkeys(name for name in names if name not in (*JOINS, *CONVERSIONS)))
    if not mixers:
        return Pieces(obstacle=f"its {join} joins samples")
    why = f"{' and '.join(mixers)} behind its {join} spreads the parts over it"
    return Pieces(obstacle=f"{why} (move it before the {join} in the model)", mixers=mixers)


def _why_not_joined(tracer: Tracer, output: int, operator: str) -> str:
    if tracer.is_join(output):
        return f"its {operator} joins too many values"
    if operator in JOINS:
        return f"arithmetic follows the {operator} that joins it"
    return f"{operator} writes it, not {JOINS[0]}"


def _piece(graph: Graph, values: Array, source: ValueSource) -> OutputPiece | None:
    """Return the region of the origins ``values`` of a sample that has all of a source's values.

    None if there is no such region, or if transposing the source does not give its order.
    """
    region, is_full = region_of(np.flatnonzero(source.holds(values)), values.shape)
    found = values[tuple(slice(first, end) for first, end in region)] - source.first
    if not is_full or found.size != source.size:
        return None
    order = np.arange(source.size)
    if np.array_equal(found.ravel(), order):
        return OutputPiece(tensor=source.tensor, region=region)
    shape = graph.tensors[source.tensor].shape
    for permutation in permutations(range(len(shape))) if len(shape) <= _MAX_RANK else ():
        transposed = order.reshape(shape).transpose(permutation)
        if transposed.shape == (1, *found.shape) and np.array_equal(transposed[0], found):
            return OutputPiece(tensor=source.tensor, region=region, permutation=permutation)
    return None


def _obstacles(graph: Graph, tracer: Tracer, origins: Origins, output: int) -> Iterator[str]:
    """Yield reasons why what an output consists of cannot be outputs in its place."""
    reads = Counter(graph.outputs)
    reads.update(index for operator in graph.operators for index in operator.inputs)
    for index in origins.followed:
        operator = graph.operators[tracer.writers[index]]
        if operator.options.get("fused_activation_function"):
            yield f"its {operator.name} has an activation function"
        if reads[index] > 1:
            yield f"its {operator.name} is read by other operators too"
    for source in origins.sources:
        tensor = graph.tensors[source.tensor]
        if tensor.is_constant:
            yield f"a part of it is the constant {tensor.name}"
        elif source.tensor in graph.inputs:
            yield f"a part of it is the model's input {tensor.name}"
        elif source.tensor in graph.outputs and source.tensor != output:
            yield f"a part of it, {tensor.name}, is an output already"
        elif np.count_nonzero(source.holds(origins.values)) > source.size:
            yield f"a part of it, {tensor.name}, occurs twice"
