"""TFLM's greedy memory planner: where tensors and scratch buffers lie in the planned part.

As in tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc and micro_allocation_info.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgepack.footprint.structs import align
from edgepack.tflite.graph import Graph, Model, Tensor

ALIGNMENT = 16
_NEVER = (-1, -1)


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """Bytes that are needed from the step ``first`` to the step ``last``, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class ScratchBuffer:
    """Bytes that a kernel asks for while it runs: which graph, which operator of it."""

    graph: int
    operator: int
    size: int


def buffers(model: Model, scratch: Sequence[ScratchBuffer]) -> list[Buffer]:
    """List what is to be planned, tensors first, in TFLM's order.

    The main graph has one step for each operator. The tensors of further graphs, which control flow
    runs, are taken to be needed all the time: a bound from above.
    """
    end = len(model.main.operators)
    found = []
    for number, graph in enumerate(model.subgraphs):
        always = dict.fromkeys(range(len(graph.tensors)), (0, end))
        lived = always if number else lives(graph)
        for index, tensor in enumerate(graph.tensors):
            if is_planned(tensor):
                first, last = lived.get(index, _NEVER)
                found.append(
                    Buffer(size=align(tensor.value_bytes, ALIGNMENT), first=first, last=last)
                )
    for each in scratch:
        step = each.operator + 1
        first, last = (step, step) if each.graph == 0 else (0, end)
        found.append(Buffer(size=align(each.size, ALIGNMENT), first=first, last=last))
    return found


def is_planned(tensor: Tensor) -> bool:
    """Whether a tensor lies in the planned part: neither in the file nor kept between runs."""
    return not tensor.is_constant and not tensor.is_variable and tensor.value_bytes > 0


def plan(wanted: Sequence[Buffer]) -> int:
    """Place buffers, the largest first, each in the first gap that holds it; bytes in all.

    Of equal buffers the one that was added last comes first.

    >>> plan([Buffer(size=32, first=0, last=1), Buffer(size=16, first=1, last=2)])
    48
    """
    placed: list[tuple[int, Buffer]] = []
    for number in sorted(range(len(wanted)), key=lambda n: (wanted[n].size, n), reverse=True):
        buffer, offset = wanted[number], 0
        for start, other in placed:
            if other.first > buffer.last or buffer.first > other.last:
                continue
            if start - offset >= buffer.size:
                break
            offset = max(offset, start + other.size)
        after = next((n for n, (start, _) in enumerate(placed) if start > offset), len(placed))
        placed.insert(after, (offset, buffer))
    return max((start + buffer.size for start, buffer in placed), default=0)


def lives(graph: Graph) -> dict[int, tuple[int, int]]:
    """Find the first and last step of each tensor: inputs at 0, outputs until the end."""
    found = dict.fromkeys((*graph.inputs, *graph.outputs), (0, 0))
    for step, operator in enumerate(graph.operators, 1):
        found |= dict.fromkeys(operator.outputs, (step, step))
        for index in operator.inputs:
            if index in found:
                found[index] = (found[index][0], step)
    for index in graph.outputs:
        found[index] = (found[index][0], len(graph.operators))
    return found
