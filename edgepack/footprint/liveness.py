"""What a model needs of memory for its activations, operator by operator.

This is the model's own need, tensors side by side without gaps. An interpreter takes more: it
aligns, plans with gaps, and adds buffers and structs of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from edgepack.core.errors import ModelError
from edgepack.footprint.planner import is_planned, lives
from edgepack.tflite.graph import Graph, Model, Operator

_RUNS: Mapping[str, tuple[str, ...]] = {
    "CALL": ("subgraph",),
    "CALL_ONCE": ("init_subgraph_index",),
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}
"""The options of control flow that name the graphs which it runs."""


@dataclass(frozen=True, kw_only=True)
class MemoryStep:
    """The bytes of activations that are alive while an operator runs.

    ``waiting`` of them are neither taken nor given by it but kept for a later one.
    """

    alive: int
    waiting: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a graph needs for its activations over time, in bytes.

    ``start`` is what its inputs take before anything runs, ``steps`` has an entry for each
    operator. ``peak_step`` is where ``peak`` is first reached, None if at the start; ``alive``
    are the tensors that are alive there, the largest first, and ``called`` what the graphs need
    besides that the operator runs. ``variables`` is the part that is alive always. ``spans`` are
    the first and last step of each activation: 0 is the start, operators count from 1.
    """

    start: int
    steps: tuple[MemoryStep, ...]
    peak: int
    peak_step: int | None
    alive: tuple[int, ...]
    called: int
    variables: int
    spans: Mapping[int, tuple[int, int]]


def runs(operator: Operator) -> list[int]:
    """Tell which graphs an operator of control flow runs."""
    if operator.is_custom:
        return []
    return [int(operator.options.get(option, 0)) for option in _RUNS.get(operator.name, ())]


def memories(model: Model) -> list[Memory]:
    """Follow the activations of each graph.

    An operator that runs other graphs needs as much besides as the most demanding of them. Raises
    :class:`ModelError` if graphs run each other in a circle or run one that is not there.
    """
    count = len(model.subgraphs)
    called = {
        number: {each for operator in graph.operators for each in runs(operator)}
        for number, graph in enumerate(model.subgraphs)
    }
    if any(not 0 <= each < count for numbers in called.values() for each in numbers):
        raise ModelError("damaged .tflite file: control flow runs a graph that is not there")
    found: dict[int, Memory] = {}
    try:
        for number in TopologicalSorter(called).static_order():  # those that are called first
            found[number] = _memory(model.subgraphs[number], found)
    except CycleError:
        raise ModelError("damaged .tflite file: its graphs run each other in a circle") from None
    return [found[number] for number in range(count)]


def _spans(graph: Graph) -> dict[int, tuple[int, int]]:
    """Find the first and last step of each activation; variables live always.

    What an operator takes and nothing gives is scratch memory of its own, as of Ethos-U's.
    """
    found = lives(graph)
    for step, operator in enumerate(graph.operators, 1):
        for index in operator.inputs:
            if index >= 0:
                first, last = found.get(index, (step, step))
                found[index] = (first, max(last, step))
    always = (0, len(graph.operators))
    return {
        index: always if tensor.is_variable else found[index]
        for index, tensor in enumerate(graph.tensors)
        if tensor.is_variable or (index in found and is_planned(tensor))
    }


def _memory(graph: Graph, others: Mapping[int, Memory]) -> Memory:
    lived = _spans(graph)
    sizes = {index: graph.tensors[index].value_bytes for index in lived}
    alive = _alive(lived, sizes, len(graph.operators) + 1)
    steps = []
    for operator, kept in zip(graph.operators, alive[1:], strict=True):
        own = _sum(sizes, {*operator.inputs, *operator.outputs})
        steps.append(MemoryStep(alive=kept + _called(operator, others), waiting=kept - own))
    totals = [alive[0], *(step.alive for step in steps)]
    peak = max(totals)
    at = totals.index(peak)
    there = [index for index, (first, last) in lived.items() if first <= at <= last]
    return Memory(
        start=alive[0],
        steps=tuple(steps),
        peak=peak,
        peak_step=at - 1 if at else None,
        alive=tuple(sorted(there, key=lambda index: (-sizes[index], index))),
        called=peak - alive[at],
        variables=_sum(sizes, (index for index in lived if graph.tensors[index].is_variable)),
        spans=lived,
    )


def _alive(lived: Mapping[int, tuple[int, int]], sizes: Mapping[int, int], count: int) -> list[int]:
    """Sum up at each step what lives there."""
    changes: dict[int, int] = defaultdict(int)
    for index, (first, last) in lived.items():
        changes[first] += sizes[index]
        changes[last + 1] -= sizes[index]
    found, total = [], 0
    for step in range(count):
        total += changes[step]
        found.append(total)
    return found


def _called(operator: Operator, others: Mapping[int, Memory]) -> int:
    return max((others[number].peak for number in runs(operator)), default=0)


def _sum(sizes: Mapping[int, int], indices: Iterable[int]) -> int:
    return sum(sizes.get(index, 0) for index in indices)
