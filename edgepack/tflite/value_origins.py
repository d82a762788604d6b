"""Where each value of an output comes from, through the operators that only move values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.graph import Graph, Operator
from edgepack.tflite.moved_values import CONVERSIONS, JOINS, MOVES, ORDER_KEEPING, join, moved

Array = NDArray[Any]

_ARITHMETIC = ("ADD", "SUB", "MUL", "DIV")

_MAX_VALUES = 1 << 25
"""Values of the tensors that are followed, four bytes each: an output of more counts as a whole."""


@dataclass(frozen=True, kw_only=True)
class ValueSource:
    """A tensor of which an output consists.

    The output's values from it have the origins ``first`` to ``first + size - 1``, in the order of
    the tensor. ``period`` is the number of its channels, which take turns in this order.
    """

    tensor: int
    first: int
    size: int
    period: int

    def holds(self, origins: Array) -> NDArray[np.bool_]:
        """Tell which of an array's origins are those of this source."""
        return np.asarray((origins >= self.first) & (origins < self.first + self.size))


@dataclass(frozen=True, kw_only=True, eq=False)
class Origins:
    """The origin of each value of an output: ``values``, int32 in the shape of the tensor.

    ``sources`` are in the order of their first values in the output. ``followed`` are the tensors
    between them and the output, itself included, in the order of execution.
    """

    values: Array
    sources: tuple[ValueSource, ...]
    followed: tuple[int, ...]


Follow = Callable[[int], Sequence[int]]
"""Returns the tensors to follow from a tensor, by index; none if it is a source."""


class Tracer:
    """Follows the values of a graph's tensors back."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.writers = {
            index: place
            for place, operator in enumerate(graph.operators)
            for index in operator.outputs
        }

    def writer(self, index: int) -> Operator | None:
        """Return the operator that writes a tensor; None for an input or a constant."""
        place = self.writers.get(index)
        return None if place is None else self._graph.operators[place]

    def computed(self, output: int) -> Origins:
        """Follow an output to the tensors that are computed, rather than moved.

        Arithmetic with a constant behind a join is followed, too: it gives all parts another unit.
        """
        return self._trace(output, self.values_of, self._moved_from)

    def joined(self, output: int) -> Origins:
        """Follow an output to the tensors that operators of :data:`JOINS` put side by side."""
        return self._trace(output, self._moved_from, lambda _: ())

    def is_join(self, index: int) -> bool:
        """Whether a tensor puts others side by side."""
        writer = self.writer(index)
        return bool(writer and writer.name in JOINS and self._moved_from(index))

    def values_of(self, index: int) -> tuple[int, ...]:
        """Return the tensors that hold the values of another one; none if it is computed."""
        writer = self.writer(index)
        if writer and writer.name in _ARITHMETIC:
            tensors = self._graph.tensors
            computed = self.computed_inputs(writer)
            has_shape = [tensors[each].shape == tensors[index].shape for each in computed]
            return computed if has_shape == [True] else ()
        return self._moved_from(index)

    def computed_inputs(self, operator: Operator) -> tuple[int, ...]:
        """Return the inputs of an operator that are no constants."""
        tensors = self._graph.tensors
        inputs = (index for index in operator.inputs if index >= 0)
        return tuple(index for index in inputs if not tensors[index].is_constant)

    def _moved_from(self, index: int) -> tuple[int, ...]:
        writer = self.writer(index)
        if writer is None or len(writer.outputs) != 1:
            return ()
        if writer.name in JOINS:
            return writer.inputs if min(writer.inputs, default=-1) >= 0 else ()
        return writer.inputs[:1] if writer.name in (*MOVES, *CONVERSIONS) else ()

    def _needed(self, output: int, follow: Follow) -> Collection[int]:
        """Return the tensors to follow, in the order of execution; none if these are too large."""
        needed: set[int] = set()
        waiting, values = [output], 0
        while waiting:
            index = waiting.pop()
            if index in needed:
                continue
            needed.add(index)
            values += prod(self._graph.tensors[index].shape)
            if values > _MAX_VALUES:
                return ()
            waiting.extend(follow(index))
        return sorted(needed, key=lambda index: (self.writers.get(index, -1), index))

    def _trace(self, output: int, behind_join: Follow, before_join: Follow) -> Origins:
        """Follow an output, by one rule down to the last of its joins and by another from there."""
        needed = self._needed(output, behind_join)
        if not needed:
            return self._whole(output)
        joined: set[int] = set()
        for index in needed:
            if self.is_join(index) or not joined.isdisjoint(behind_join(index)):
                joined.add(index)
        rules = {index: behind_join if index in joined else before_join for index in needed}
        found: dict[int, Array] = {}
        firsts: dict[int, int] = {}
        periods: dict[int, int] = {}
        roots: dict[int, int] = {}  # the source of each tensor that has its order
        end = 0
        for index in needed:
            shape = self._graph.tensors[index].shape
            before = rules[index](index)
            array = self._apply(index, [found[each] for each in before if each in found])
            if array is None:
                firsts[index], roots[index] = end, index
                end += prod(shape)
                array = np.arange(firsts[index], end, dtype=np.int32).reshape(shape)
            elif self._keeps_order(index) and before[0] in roots:
                roots[index] = roots[before[0]]
            found[index] = array
            if index in roots:
                width = shape[-1] if shape else 1
                periods[roots[index]] = min(periods.get(roots[index], width), width)
        values = found[output]
        sources = [
            ValueSource(
                tensor=index,
                first=first,
                size=prod(self._graph.tensors[index].shape),
                period=max(periods[index], 1),
            )
            for index, first in firsts.items()
        ]
        places = {
            source: int(np.argmax(held))
            for source in sources
            if (held := source.holds(values)).any()
        }
        return Origins(
            values=values,
            sources=tuple(sorted(places, key=lambda source: places[source])),
            followed=tuple(index for index in needed if index not in firsts),
        )

    def _whole(self, output: int) -> Origins:
        """Return the origins of an output as a single source, which take no memory."""
        shape = self._graph.tensors[output].shape
        width = shape[-1] if shape else 1
        values = np.broadcast_to(np.arange(width, dtype=np.int32), shape)
        source = ValueSource(tensor=output, first=0, size=width, period=width)
        return Origins(values=values, sources=(source,), followed=())

    def _apply(self, index: int, arrays: Sequence[Array]) -> Array | None:
        """Return the origins of a tensor's values from those of what it is made of.

        None for a source, and for what cannot be followed.
        """
        writer = self.writer(index)
        if writer is None or not arrays:
            return None
        if writer.name in JOINS:
            is_complete = len(arrays) == len(writer.inputs)
            return join(arrays, writer, self._graph) if is_complete else None
        if writer.name in MOVES:
            return moved(arrays[0], writer, self._graph)
        return arrays[0] if arrays[0].shape == self._graph.tensors[index].shape else None

    def _keeps_order(self, index: int) -> bool:
        writer = self.writer(index)
        names = (*ORDER_KEEPING, *CONVERSIONS, *_ARITHMETIC)
        return writer is not None and writer.name in names
