"""TFLM's greedy memory planner, which places tensors and scratch buffers in the planned part.

Follows tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc and micro_allocation_info.cc.
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
    """Memory of ``size`` bytes that is needed from step ``first`` to step ``last``, inclusive."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class ScratchBuffer:
    """Memory of ``size`` bytes that a kernel needs while it runs.

    ``graph`` and ``operator`` are the indices of the graph in the file and of its operator.
    """

    graph: int
    operator: int
    size: int


def buffers(model: Model, scratch: Sequence[ScratchBuffer]) -> list[Buffer]:
    """Return the buffers to plan, tensors first, in TFLM's order.

    The main graph has one step for each operator. The tensors of other graphs, which control flow
    runs, are assumed to be alive all the time: an upper bound.
    """
    end = len(model.main.operators)
    planned = []
    for number, graph in enumerate(model.subgraphs):
        always = dict.fromkeys(range(len(graph.tensors)), (0, end))
        spans = always if number else lifetimes(graph)
        for index, tensor in enumerate(graph.tensors):
            if is_planned(tensor):
                first, last = spans.get(index, _NEVER)
                planned.append(
                    Buffer(size=align(tensor.value_bytes, ALIGNMENT), first=first, last=last)
                )
    for each in scratch:
        step = each.operator + 1
        first, last = (step, step) if each.graph == 0 else (0, end)
        planned.append(Buffer(size=align(each.size, ALIGNMENT), first=first, last=last))
    return planned


def is_planned(tensor: Tensor) -> bool:
    """Whether a tensor is in the planned part: neither a constant nor kept between runs."""
    return not tensor.is_constant and not tensor.is_variable and tensor.value_bytes > 0


def plan(requested: Sequence[Buffer]) -> int:
    """Return the bytes needed to place buffers, the largest first, each in the first gap it fits.

    Of buffers of equal size the one added last comes first.

    >>> plan([Buffer(size=32, first=0, last=1), Buffer(size=16, first=1, last=2)])
    48
    """
    placed: list[tuple[int, Buffer]] = []
    for number in sorted(range(len(requested)), key=lambda n: (requested[n].size, n), reverse=True):
        buffer, offset = requested[number], 0
        for start, other in placed:
            if other.first > buffer.last or buffer.first > other.last:
                continue
            if start - offset >= buffer.size:
                break
            offset = max(offset, start + other.size)
        after = next((n for n, (start, _) in enumerate(placed) if start > offset), len(placed))
        placed.insert(after, (offset, buffer))
    return max((start + buffer.size for start, buffer in placed), default=0)


def lifetimes(graph: Graph) -> dict[int, tuple[int, int]]:
    """Return the first and last step of each tensor by its index.

    Inputs are alive from step 0, outputs until the end; operators count from 1.
    """
    spans = dict.fromkeys((*graph.inputs, *graph.outputs), (0, 0))
    for step, operator in enumerate(graph.operators, 1):
        spans |= dict.fromkeys(operator.outputs, (step, step))
        for index in operator.inputs:
            if index in spans:
                spans[index] = (spans[index][0], step)
    for index in graph.outputs:
        spans[index] = (spans[index][0], len(graph.operators))
    return spans
