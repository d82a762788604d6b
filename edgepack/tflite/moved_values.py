"""Where operators that only move values put them.

Each function takes an array whose entries tell the values of a tensor apart, and returns the one
for the tensor that the operator writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Graph, Operator

Array = NDArray[Any]

JOINS = ("CONCATENATION", "PACK")
"""Operators that put several tensors side by side."""

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")

ORDER_KEEPING = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that keep every value and their order."""


def join(arrays: Sequence[Array], operator: Operator, graph: Graph) -> Array | None:
    """Apply an operator of :data:`JOINS` to the arrays of its inputs.

    None if it does not give the shape of its output, in a damaged file.
    """
    shape = graph.tensors[operator.outputs[0]].shape
    if sum(array.size for array in arrays) != prod(shape):
        return None
    stack = np.stack if operator.name == "PACK" else np.concatenate
    return _checked(lambda: stack(arrays, axis=int(operator.options.get("axis", 0))), shape)


def moved(array: Array, operator: Operator, graph: Graph) -> Array | None:
    """Apply an operator of :data:`MOVES` to the array of its first input.

    None if its other inputs are not constants, or if it does not give the shape of its output.
    """
    shape = graph.tensors[operator.outputs[0]].shape
    if operator.name in ORDER_KEEPING:
        return _checked(lambda: array.reshape(shape), shape)
    others = [graph.tensors[index] for index in operator.inputs[1:] if index >= 0]
    if not all(tensor.is_constant for tensor in others):
        return None
    constants = [stored_values(tensor) for tensor in others]
    return _checked(lambda: _MOVES[operator.name](array, operator, *constants), shape)


def _checked(move: Callable[[], Array], shape: Sequence[int]) -> Array | None:
    try:
        made = move()
    except (ValueError, IndexError, TypeError):
        return None
    return made if made.shape == tuple(shape) else None


def _transpose(array: Array, _operator: Operator, permutation: Array) -> Array:
    return array.transpose(permutation.tolist())


def _slice(array: Array, _operator: Operator, begin: Array, size: Array) -> Array:
    ends = [
        None if count < 0 else first + count
        for first, count in zip(begin.tolist(), size.tolist(), strict=True)
    ]
    return array[tuple(map(slice, begin.tolist(), ends))]


def _strided_slice(
    array: Array, operator: Operator, begin: Array, end: Array, strides: Array
) -> Array:
    options = {name: int(value) for name, value in operator.options.items()}
    if options.get("ellipsis_mask") or options.get("new_axis_mask") or options.get("offset"):
        raise ValueError("not a plain slice")
    index: list[int | slice] = []
    bounds = zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
    for axis, (first, last, stride) in enumerate(bounds):
        if options.get("shrink_axis_mask", 0) >> axis & 1:
            index.append(first)
            continue
        is_open, is_open_ended = (
            options.get(name, 0) >> axis & 1 for name in ("begin_mask", "end_mask")
        )
        index.append(slice(None if is_open else first, None if is_open_ended else last, stride))
    return array[tuple(index)]


def _reverse(array: Array, _operator: Operator, axes: Array) -> Array:
    return np.flip(array, tuple(axes.tolist()))


_MOVES: dict[str, Callable[..., Array]] = {
    "TRANSPOSE": _transpose,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "REVERSE_V2": _reverse,
}

MOVES = (*ORDER_KEEPING, *_MOVES)
"""Operators that move the values of their first input."""
