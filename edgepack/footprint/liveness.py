"""The memory that a model's activations need, operator by operator.

This is the sum of the tensors that are alive, without gaps. An interpreter needs more: it aligns
them, leaves gaps, and adds buffers and structs of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from edgepack.core.errors import ModelError
from edgepack.footprint.planner import is_planned, lifetimes
from edgepack.tflite.graph import Graph, Model, Operator

_RUNS: Mapping[str, tuple[str, ...]] = {
    "CALL": ("subgraph",),
    "CALL_ONCE": ("init_subgraph_index",),
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}
"""By control-flow operator, the options that hold the indices of the graphs it runs."""


@dataclass(frozen=True, kw_only=True)
class MemoryStep:
    """The bytes of activations that are alive while an operator runs.

    ``waiting`` of them are neither its inputs nor its outputs, but kept for a later operator.
    """

    alive: int
    waiting: int


@dataclass(frozen=True, kw_only=True)
class GraphMemory:
    """What a graph's activations need over time, in bytes.

    ``start`` is the size of its inputs before anything runs, ``steps`` has an entry for each
    operator. ``peak_step`` is the index of the operator at which ``peak`` is first reached, None at
    the start; ``alive`` are the indices of the tensors that are alive there, the largest first,
    and ``called`` is what the graphs that this operator runs need in addition. ``variables`` is
    the part that is always alive. ``spans`` are the first and last step of each activation by its
    tensor's index: 0 is the start, operators count from 1.
    """

    start: int
    steps: tuple[MemoryStep, ...]
    peak: int
    peak_step: int | None
    alive: tuple[int, ...]
    called: int
    variables: int
    spans: Mapping[int, tuple[int, int]]


def called_graphs(operator: Operator) -> list[int]:
    """Return the indices of the graphs that a control-flow operator runs."""
    if operator.is_custom:
        return []
    return [int(operator.options.get(option, 0)) for option in _RUNS.get(operator.name, ())]


def graph_memories(model: Model) -> list[GraphMemory]:
    """Compute the memory of the activations of each graph, in the order of the file.

    An operator that runs other graphs needs the memory of the most demanding one in addition.
    Raises :class:`ModelError` if graphs run each other in a cycle, or run one that does not exist.
    """
    count = len(model.subgraphs)
    called = {
        number: {each for operator in graph.operators for each in called_graphs(operator)}
        for number, graph in enumerate(model.subgraphs)
    }
    if any(not 0 <= each < count for numbers in called.values() for each in numbers):
        raise ModelError("damaged .tflite file: control flow runs a graph that does not exist")
    computed: dict[int, GraphMemory] = {}
    try:
        for number in TopologicalSorter(called).static_order():  # called graphs come first
            computed[number] = _memory(model.subgraphs[number], computed)
    except CycleError:
        raise ModelError("damaged .tflite file: its graphs run each other in a cycle") from None
    return [computed[number] for number in range(count)]


def _spans(graph: Graph) -> dict[int, tuple[int, int]]:
    """Return the first and last step of each activation; variables are always alive.

    A tensor that an operator reads and nothing writes is its own scratch memory, as for Ethos-U.
    """
    spans = lifetimes(graph)
    for step, operator in enumerate(graph.operators, 1):
        for index in operator.inputs:
            if index >= 0:
                first, last = spans.get(index, (step, step))
                spans[index] = (first, max(last, step))
    always = (0, len(graph.operators))
    return {
        index: always if tensor.is_variable else spans[index]
        for index, tensor in enumerate(graph.tensors)
        if tensor.is_variable or (index in spans and is_planned(tensor))
    }


def _memory(graph: Graph, others: Mapping[int, GraphMemory]) -> GraphMemory:
    spans = _spans(graph)
    sizes = {index: graph.tensors[index].value_bytes for index in spans}
    alive = _alive(spans, sizes, len(graph.operators) + 1)
    steps = []
    for operator, kept in zip(graph.operators, alive[1:], strict=True):
        own = _sum(sizes, {*operator.inputs, *operator.outputs})
        steps.append(MemoryStep(alive=kept + _called(operator, others), waiting=kept - own))
    totals = [alive[0], *(step.alive for step in steps)]
    peak = max(totals)
    at = totals.index(peak)
    alive_at_peak = [index for index, (first, last) in spans.items() if first <= at <= last]
    return GraphMemory(
        start=alive[0],
        steps=tuple(steps),
        peak=peak,
        peak_step=at - 1 if at else None,
        alive=tuple(sorted(alive_at_peak, key=lambda index: (-sizes[index], index))),
        called=peak - alive[at],
        variables=_sum(sizes, (index for index in spans if graph.tensors[index].is_variable)),
        spans=spans,
    )


def _alive(spans: Mapping[int, tuple[int, int]], sizes: Mapping[int, int], count: int) -> list[int]:
    """Return the bytes that are alive at each step."""
    changes: dict[int, int] = defaultdict(int)
    for index, (first, last) in spans.items():
        changes[first] += sizes[index]
        changes[last + 1] -= sizes[index]
    totals, total = [], 0
    for step in range(count):
        total += changes[step]
        totals.append(total)
    return totals


def _called(operator: Operator, others: Mapping[int, GraphMemory]) -> int:
    return max((others[number].peak for number in called_graphs(operator)), default=0)


def _sum(sizes: Mapping[int, int], indices: Iterable[int]) -> int:
    return sum(sizes.get(index, 0) for index in indices)
