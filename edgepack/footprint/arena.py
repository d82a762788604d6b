"""The tensor arena on a 32-bit device, from what TFLM used of it on this 64-bit host.

TFLM's account is made a second time, allocation by allocation: the planned part with TFLM's own
planner, the persistent part from the sizes of its structs. Made for this host it must give what
TFLM measured; what it cannot explain is taken over from the host, which is never less than the
device needs. Made for the device it gives the arena there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from edgepack.footprint import structs
from edgepack.footprint.allocations import Allocations
from edgepack.footprint.planner import ALIGNMENT, buffers, plan
from edgepack.footprint.scratch_buffers import (
    CMSIS_NN_MVE,
    ESP_NN,
    ESP_NN_S3,
    REFERENCE,
    is_convolution,
    scratch_buffers,
)
from edgepack.footprint.structs import ARM, HOST, OTHER, Abi, align, alignof, sizeof
from edgepack.tflite.graph import Graph, Model, Operator, Tensor

_PLANNED_BUFFER_BYTES = 40  # what the planner notes of a buffer, on any machine
_REQUESTS_AHEAD = 12  # kMaxScratchBuffersPerOp
_LSTM_SUMS = 8
_LATER_DENSE_BYTES = 16  # a list in the options of FULLY_CONNECTED, and its length, aligned
_ESP = (ESP_NN, ESP_NN_S3)
_SOFTMAX_TABLE_BYTES = 2 * 513

_Allocation = tuple[int, int]
"""Bytes, and their alignment."""


@dataclass(frozen=True, kw_only=True)
class Arena:
    """What a model takes of the arena, in bytes.

    ``planned`` holds activations and ``scratch``, what the kernels' scratch buffers add to them;
    ``persistent`` TFLM's structs and the kernels' data. ``total`` of the three is what TFLM calls
    the arena's used bytes. ``least`` is the smallest array that TFLM can start in, aligned to 16
    bytes at both ends: while it plans, notes on each tensor lie where activations will, and may
    take more than these. ``reserve`` is what other builds of TFLM may take besides; ``notes`` say
    which.
    """

    planned: int
    scratch: int
    persistent: int
    total: int
    least: int
    reserve: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """What TFLM is built for: the sizes of its structs, and what kernels keep."""

    abi: Abi
    kernels: str

    @property
    def is_host(self) -> bool:
        return self.abi == HOST

    def op_data(self, name: str) -> str:
        """Give the fields that the kernel of an operator keeps; none if they are not known."""
        tables = {REFERENCE: structs.OP_DATA} | dict.fromkeys(_ESP, structs.ESP_NN_OP_DATA)
        known = tables.get(self.kernels, structs.CMSIS_NN_OP_DATA)
        return (structs.HOST_OP_DATA if self.is_host else known).get(name, "")

    def params(self, name: str) -> str:
        known = structs.PARAMS | (structs.HOST_PARAMS if self.is_host else {})
        return known.get(name, "")


def arena(model: Model, allocations: Allocations, kernels: str) -> Arena:
    """Compute the arena on a device with the given kernels from TFLM's account on this host."""
    expected = host_arena(model)
    unplanned = max(0, allocations.head_bytes - expected.planned - expected.scratch)
    unknown = max(0, allocations.tail_bytes - expected.persistent)
    device = _Machine(abi=OTHER if kernels in _ESP else ARM, kernels=kernels)
    computed = _account(model, device, unplanned=unplanned, unknown=unknown)
    notes = list(_notes(model, kernels, unplanned, unknown))
    later = _LATER_DENSE_BYTES * _dense(model)
    if later:
        notes.append(f"arena: TFLM since September 2026 may take {later:,} bytes more")
    wider = 0
    if kernels == REFERENCE:
        wide = _account(model, replace(device, abi=OTHER), unplanned=unplanned, unknown=unknown)
        wider = max(wide.total - computed.total, wide.least - computed.least)
        notes.append(
            f"arena: {wide.total - computed.total:,} bytes more on Xtensa and RISC-V, where"
            " enumerations take 4 bytes"
        )
    return replace(computed, reserve=later + wider, notes=tuple(notes))


def host_arena(model: Model) -> Arena:
    """Compute the arena on this host, with the tflite-micro package: what TFLM should measure."""
    return _account(model, _Machine(abi=HOST, kernels=REFERENCE))


def _account(model: Model, machine: _Machine, *, unplanned: int = 0, unknown: int = 0) -> Arena:
    """Make TFLM's account; the last two are bytes to be added to its parts."""
    wanted = scratch_buffers(model, machine.kernels)
    everything = buffers(model, wanted)
    planned, head = plan(buffers(model, [])), plan(everything) + unplanned
    before = _stack(_before_running(model, machine, len(wanted), unknown))
    persistent = _stack(
        chain(_before_running(model, machine, len(wanted), unknown), _ends(model.main, machine.abi))
    )
    notes = _while_planning(model, machine, len(everything), len(wanted))
    least = max(head + persistent, align(before, ALIGNMENT) + notes)
    return Arena(
        planned=planned,
        scratch=head - planned,
        persistent=persistent,
        total=head + persistent,
        least=align(least, ALIGNMENT),
    )


def _before_running(
    model: Model, machine: _Machine, requests: int, unknown: int
) -> Iterator[_Allocation]:
    """List what is allocated before the plan is made."""
    yield from _structs(model, machine)
    for graph, operator in _operators(model):
        yield from _prepared(graph, operator, machine)
    yield unknown, ALIGNMENT
    yield machine.abi.pointer * requests, machine.abi.pointer
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.is_variable:
                yield tensor.value_bytes, ALIGNMENT


def _structs(model: Model, machine: _Machine) -> Iterator[_Allocation]:
    """List TFLM's own structs, the operators' options and what their kernels keep."""
    abi = machine.abi
    fixed = (structs.ALLOCATOR, structs.PLANNER, structs.MICRO_ALLOCATOR)
    host = (structs.HOST_ALLOCATOR, structs.PLANNER, structs.HOST_MICRO_ALLOCATOR)
    for fields in host if machine.is_host else fixed:
        yield sizeof(fields, abi), alignof(fields, abi)
    yield sizeof(structs.BUILTIN_ALLOCATOR, abi), abi.pointer
    subgraph = structs.HOST_SUBGRAPH if machine.is_host else structs.SUBGRAPH
    yield sizeof(subgraph, abi) * len(model.subgraphs), abi.pointer
    for graph in model.subgraphs:
        yield sizeof(structs.EVAL_TENSOR, abi) * len(graph.tensors), abi.pointer
    for graph in model.subgraphs:
        yield sizeof(structs.NODE, abi) * len(graph.operators), abi.pointer
    for _, operator in _operators(model):
        params = machine.params(operator.name)
        yield sizeof(params, abi), alignof(params, abi)
    for _, operator in _operators(model):
        if fields := machine.op_data(operator.name):
            yield sizeof(fields, abi), ALIGNMENT


def _operators(model: Model) -> Iterator[tuple[Graph, Operator]]:
    for graph in model.subgraphs:
        for operator in graph.operators:
            yield graph, operator


def _prepared(graph: Graph, operator: Operator, machine: _Machine) -> Iterator[_Allocation]:
    """List what a kernel allocates when it has seen the shapes, such as scales of each channel."""
    if operator.name in _KEEPING:
        inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
        output = graph.tensors[operator.outputs[0]]
        for size in _KEEPING[operator.name](inputs, output, machine.kernels):
            yield size, ALIGNMENT


def _convolution(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [4 * inputs[1].shape[0]] * 2


def _depthwise(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [4 * inputs[1].shape[-1]] * 2


def _fully_connected(inputs: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    """Scales of each channel; with Helium the sums of int8 weights besides."""
    values, weights = inputs[:2]
    channels = len(weights.quant.scale) if weights.quant else 1
    kept = [4 * channels] * 2 if channels > 1 and values.dtype != "float32" else []
    is_int8 = values.dtype == weights.dtype == "int8"
    if kernels == CMSIS_NN_MVE and is_int8 and not is_convolution(weights, output):
        kept.append(4 * output.shape[-1])
    return kept


def _softmax(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [_SOFTMAX_TABLE_BYTES] * 2 if inputs[0].dtype == "int16" else []


def _svdf(inputs: list[Tensor], _: Tensor, kernels: str) -> list[int]:
    return [4 * inputs[1].shape[0]] if kernels == CMSIS_NN_MVE else []


def _lstm(inputs: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    """CMSIS-NN keeps the sums of the weights of each gate: of the input and of the state."""
    if inputs[0].dtype == "float32" or kernels in (REFERENCE, *_ESP):
        return []
    return [(4 if inputs[0].dtype == "int8" else 8) * output.shape[-1]] * _LSTM_SUMS


_KEEPING: dict[str, Callable[[list[Tensor], Tensor, str], list[int]]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "SOFTMAX": _softmax,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}


def _ends(graph: Graph, abi: Abi) -> Iterator[_Allocation]:
    """List what the interpreter keeps of inputs and outputs."""
    for indices in (graph.inputs, graph.outputs):
        yield abi.pointer * len(indices), ALIGNMENT
        for index in indices:
            yield from _described(graph.tensors[index], abi)


def _described(tensor: Tensor, abi: Abi) -> Iterator[_Allocation]:
    """List a TfLiteTensor and its quantization."""
    yield sizeof(structs.TENSOR, abi), alignof(structs.TENSOR, abi)
    if tensor.quant and tensor.quant.zero_point:
        yield sizeof(structs.QUANTIZATION, abi), abi.pointer
        yield 4 + 4 * len(tensor.quant.scale), 4


def _stack(allocations: Iterable[_Allocation]) -> int:
    """Pile allocations up from the arena's end; bytes in all."""
    used = 0
    for size, alignment in allocations:
        used = align(used + size, alignment)
    return used


def _while_planning(model: Model, machine: _Machine, planned: int, requests: int) -> int:
    """Find what TFLM notes where activations will lie, in bytes.

    Either on each tensor, while it plans, or on those of an operator, while that prepares.
    """
    abi = machine.abi
    tensors = sum(len(graph.tensors) for graph in model.subgraphs)
    notes = sizeof(structs.SCRATCH_REQUEST, abi) * (requests + _REQUESTS_AHEAD)
    lives = abi.pointer * len(model.subgraphs)
    lives += sizeof(structs.ALLOCATION_INFO, abi) * (tensors + requests)
    looked_at = (_looked_at(graph, operator, abi) for graph, operator in _operators(model))
    return max(
        align(notes + lives, ALIGNMENT) + _PLANNED_BUFFER_BYTES * planned,
        notes + max(looked_at, default=0),
    )


def _looked_at(graph: Graph, operator: Operator, abi: Abi) -> int:
    """Bound the descriptions of an operator's tensors while it prepares; convolutions hold two."""
    indices = [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
    held = 2 if "CONV" in operator.name else 1
    one = _stack(each for index in indices for each in _described(graph.tensors[index], abi))
    return held * one


def _dense(model: Model) -> int:
    return sum(operator.name == "FULLY_CONNECTED" for _, operator in _operators(model))


def _notes(model: Model, kernels: str, unplanned: int, unknown: int) -> Iterator[str]:
    """Say what of an arena is a bound, and what may differ."""
    if len(model.subgraphs) > 1:
        yield "arena: what control flow computes is taken to be needed all the time"
    if unplanned:
        yield f"arena: {unplanned:,} bytes are planned as on this host, for what is unknown"
    if unknown:
        yield f"arena: {unknown:,} bytes of kernels' data are taken to be as large as on this host"
    if kernels == ESP_NN_S3:
        yield "arena: ESP-NN's scratch buffers are bounds"
