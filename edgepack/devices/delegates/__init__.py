"""Delegates: what runs a graph, or parts of it, instead of the interpreter's own kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgepack.tflite.graph import Graph
from edgepack.tflite.layer_names import layer_names


@dataclass(frozen=True, kw_only=True)
class Undelegated:
    """An operator that a delegate leaves to the interpreter, by its place in the graph.

    ``why`` is None where it was measured and not told.
    """

    index: int
    operator: str
    layer: str
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """How a delegate takes a graph of so many ``operators``.

    ``left`` are those that it cannot take, in order; the others come in ``partitions`` parts,
    of which it takes so many operators as ``taken`` says. ``crossing_bytes`` are the activations
    that pass between it and the interpreter in one inference, as large as the file has them.
    """

    operators: int
    left: tuple[Undelegated, ...]
    partitions: int
    taken: int
    crossing_bytes: int


def delegate_graph(
    graph: Graph, left: Mapping[int, str | None], *, largest_only: bool = False
) -> Delegation:
    """Split a graph at the operators that a delegate leaves, given by index with the reason.

    ``largest_only`` is for a delegate that takes no more than the largest part.
    """
    parts = list(_partitions(graph, left))
    largest = [max(parts, key=len)] if parts and largest_only else parts
    taken = {index for part in largest for index in part}
    names = layer_names(graph)
    return Delegation(
        operators=len(graph.operators),
        left=tuple(
            Undelegated(
                index=index,
                operator=graph.operators[index].name,
                layer=next((names[i] for i in graph.operators[index].outputs), ""),
                why=left[index],
            )
            for index in sorted(left)
        ),
        partitions=len(parts),
        taken=len(taken),
        crossing_bytes=sum(graph.tensors[i].value_bytes for i in _crossing(graph, taken)),
    )


def _partitions(graph: Graph, left: Mapping[int, str | None]) -> Iterator[list[int]]:
    """Part the operators that are not left as TensorFlow Lite does.

    A part begins with the first operator whose inputs are computed, and takes every later one of
    its kind, left or not, whose inputs are computed by then
    (``PartitionGraphIntoIndependentNodeSubsets`` of TensorFlow Lite).
    """
    waiting = dict(enumerate(graph.operators))
    missing = {i for operator in graph.operators for i in operator.outputs}
    while waiting:
        part: list[int] = []
        for index, operator in waiting.items():
            alike = not part or (index in left) == (part[0] in left)
            if alike and missing.isdisjoint(operator.inputs):
                part.append(index)
                missing.difference_update(operator.outputs)
        if not part:
            return  # operators that wait for each other: no interpreter loads such a file
        for index in part:
            del waiting[index]
        if part[0] not in left:
            yield part


def _crossing(graph: Graph, taken: set[int]) -> set[int]:
    """Find the tensors computed on one side and read on the other; a graph's ends are outside."""
    wrote = {i: index in taken for index, op in enumerate(graph.operators) for i in op.outputs}
    wrote |= dict.fromkeys(graph.inputs, False)
    crossing = {
        i
        for index, operator in enumerate(graph.operators)
        for i in operator.inputs
        if wrote.get(i, index in taken) != (index in taken)
    }
    return crossing | {i for i in graph.outputs if wrote.get(i, False)}
