"""Delegates, which run a graph or parts of it in place of the interpreter's own kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgepack.tflite.graph import Graph
from edgepack.tflite.layer_names import layer_names


@dataclass(frozen=True, kw_only=True)
class Undelegated:
    """An operator that a delegate leaves to the interpreter; ``index`` is its index in the graph.

    ``why`` is None where this was measured, which gives no reason.
    """

    index: int
    operator: str
    layer: str
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """How a graph is divided between a delegate and the interpreter.

    ``operators`` is the number of operators in the graph. ``left`` are those that the delegate
    does not support, in order; the others form ``partitions`` parts. ``delegated`` is the number
    of operators that it runs. ``crossing_bytes`` is the size of the activations that pass between
    it and the interpreter in one inference, in the data types of the file.
    """

    operators: int
    left: tuple[Undelegated, ...]
    partitions: int
    delegated: int
    crossing_bytes: int


def delegate_graph(
    graph: Graph, left: Mapping[int, str | None], *, largest_only: bool = False
) -> Delegation:
    """Partition a graph around the operators that a delegate does not run.

    ``left`` maps the indices of these operators to the reason. ``largest_only`` is for a delegate
    that runs the largest part alone.
    """
    parts = list(_partitions(graph, left))
    largest = [max(parts, key=len)] if parts and largest_only else parts
    delegated = {index for part in largest for index in part}
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
        delegated=len(delegated),
        crossing_bytes=sum(graph.tensors[i].value_bytes for i in _crossing(graph, delegated)),
    )


def _partitions(graph: Graph, left: Mapping[int, str | None]) -> Iterator[list[int]]:
    """Yield the parts of a graph for the delegate, partitioned as TensorFlow Lite does.

    A part begins with the first remaining operator whose inputs are available. It includes every
    later operator of the same kind, delegated or left, whose inputs are available by then
    (``PartitionGraphIntoIndependentNodeSubsets`` of TensorFlow Lite).
    """
    waiting = dict(enumerate(graph.operators))
    missing = {i for operator in graph.operators for i in operator.outputs}
    while waiting:
        part: list[int] = []
        for index, operator in waiting.items():
            same_kind = not part or (index in left) == (part[0] in left)
            if same_kind and missing.isdisjoint(operator.inputs):
                part.append(index)
                missing.difference_update(operator.outputs)
        if not part:
            return  # operators that depend on each other: no interpreter loads such a file
        for index in part:
            del waiting[index]
        if part[0] not in left:
            yield part


def _crossing(graph: Graph, delegated: set[int]) -> set[int]:
    """Return the tensors that are written on one side and read on the other.

    The inputs and outputs of the graph belong to the interpreter's side.
    """
    written = {
        i: index in delegated for index, op in enumerate(graph.operators) for i in op.outputs
    }
    written |= dict.fromkeys(graph.inputs, False)
    crossing = {
        i
        for index, operator in enumerate(graph.operators)
        for i in operator.inputs
        if written.get(i, index in delegated) != (index in delegated)
    }
    return crossing | {i for i in graph.outputs if written.get(i, False)}
