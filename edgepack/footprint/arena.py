"""The tensor arena on a 32-bit device, from TFLM's allocations on this 64-bit host.

TFLM's allocations are computed one by one: the planned part with TFLM's own planner, the persistent
part from the sizes of its structs. Computed for this host, they must add up to what TFLM measured.
Any difference is unknown to this model of TFLM, and added to the arena computed for the device,
which never needs more than the host.
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

_PLANNED_BUFFER_BYTES = 40  # of a buffer's entry in the planner, on any machine
_REQUESTS_AHEAD = 12  # kMaxScratchBuffersPerOp
_LSTM_SUMS = 8
_LATER_DENSE_BYTES = 16  # a list in the options of FULLY_CONNECTED, and its length, aligned
_ESP = (ESP_NN, ESP_NN_S3)
_SOFTMAX_TABLE_BYTES = 2 * 513

_Allocation = tuple[int, int]
"""Size and alignment in bytes."""


@dataclass(frozen=True, kw_only=True)
class Arena:
    """What a model needs in the arena, in bytes.

    ``planned`` is for activations, ``scratch`` for what the kernels' scratch buffers add to them,
    ``persistent`` for TFLM's structs and the kernels' data. ``total``, the sum of the three, is
    what TFLM reports as the used bytes of the arena. ``least`` is the smallest array that TFLM can
    start in, aligned to 16 bytes at both ends: while it plans, its records of the tensors occupy
    the space of the activations, and may need more. ``reserve`` is what other builds of TFLM may
    need in addition; ``notes`` say which.
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
    """What TFLM is built for: the ABI, which determines the sizes of structs, and the kernels."""

    abi: Abi
    kernels: str

    @property
    def is_host(self) -> bool:
        return self.abi == HOST

    def op_data(self, name: str) -> str:
        """Return the fields of the struct that an operator's kernel keeps; empty if not known."""
        tables = {REFERENCE: structs.OP_DATA} | dict.fromkeys(_ESP, structs.ESP_NN_OP_DATA)
        known = tables.get(self.kernels, structs.CMSIS_NN_OP_DATA)
        return (structs.HOST_OP_DATA if self.is_host else known).get(name, "")

    def params(self, name: str) -> str:
        """Return the fields of the struct of an operator's options; empty if not known."""
        known = structs.PARAMS | (structs.HOST_PARAMS if self.is_host else {})
        return known.get(name, "")


def compute_arena(model: Model, allocations: Allocations, kernels: str) -> Arena:
    """Compute the arena on a device with kernels from TFLM's allocations on this host."""
    expected = host_arena(model)
    unplanned = max(0, allocations.head_bytes - expected.planned - expected.scratch)
    unknown = max(0, allocations.tail_bytes - expected.persistent)
    device = _Machine(abi=OTHER if kernels in _ESP else ARM, kernels=kernels)
    computed = _compute(model, device, unplanned=unplanned, unknown=unknown)
    notes = list(_notes(model, kernels, unplanned, unknown))
    later = _LATER_DENSE_BYTES * _count_dense(model)
    if later:
        notes.append(f"arena: TFLM since September 2026 may need {later:,} bytes more")
    wider = 0
    if kernels == REFERENCE:
        wide = _compute(model, replace(device, abi=OTHER), unplanned=unplanned, unknown=unknown)
        wider = max(wide.total - computed.total, wide.least - computed.least)
        notes.append(
            f"arena: {wide.total - computed.total:,} bytes more on Xtensa and RISC-V, where"
            " enumerations take 4 bytes"
        )
    return replace(computed, reserve=later + wider, notes=tuple(notes))


def host_arena(model: Model) -> Arena:
    """Compute the arena on this host with the tflite-micro package, as TFLM should measure it."""
    return _compute(model, _Machine(abi=HOST, kernels=REFERENCE))


def _compute(model: Model, machine: _Machine, *, unplanned: int = 0, unknown: int = 0) -> Arena:
    """Compute TFLM's allocations.

    ``unplanned`` and ``unknown`` are bytes to add to the planned and the persistent part.
    """
    scratch = scratch_buffers(model, machine.kernels)
    everything = buffers(model, scratch)
    planned, head = plan(buffers(model, [])), plan(everything) + unplanned
    before = _stacked_bytes(_allocated_before_planning(model, machine, len(scratch), unknown))
    persistent = _stacked_bytes(
        chain(
            _allocated_before_planning(model, machine, len(scratch), unknown),
            _input_output_structs(model.main, machine.abi),
        )
    )
    temporary = _planning_bytes(model, machine, len(everything), len(scratch))
    least = max(head + persistent, align(before, ALIGNMENT) + temporary)
    return Arena(
        planned=planned,
        scratch=head - planned,
        persistent=persistent,
        total=head + persistent,
        least=align(least, ALIGNMENT),
    )


def _allocated_before_planning(
    model: Model, machine: _Machine, requests: int, unknown: int
) -> Iterator[_Allocation]:
    """Yield what is allocated before memory is planned."""
    yield from _structs(model, machine)
    for graph, operator in _operators(model):
        yield from _allocated_in_prepare(graph, operator, machine)
    yield unknown, ALIGNMENT
    yield machine.abi.pointer * requests, machine.abi.pointer
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.is_variable:
                yield tensor.value_bytes, ALIGNMENT


def _structs(model: Model, machine: _Machine) -> Iterator[_Allocation]:
    """Yield TFLM's own structs, the operators' options and the structs of their kernels."""
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


def _allocated_in_prepare(
    graph: Graph, operator: Operator, machine: _Machine
) -> Iterator[_Allocation]:
    """Yield what a kernel allocates once it knows the shapes, such as scales per channel."""
    if operator.name in _PREPARE_ALLOCATIONS:
        inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
        output = graph.tensors[operator.outputs[0]]
        for size in _PREPARE_ALLOCATIONS[operator.name](inputs, output, machine.kernels):
            yield size, ALIGNMENT


def _convolution(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [4 * inputs[1].shape[0]] * 2


def _depthwise(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [4 * inputs[1].shape[-1]] * 2


def _fully_connected(inputs: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    """Scales per channel; with Helium also the sums of int8 weights."""
    values, weights = inputs[:2]
    channels = len(weights.quant.scale) if weights.quant else 1
    sizes = [4 * channels] * 2 if channels > 1 and values.dtype != "float32" else []
    is_int8 = values.dtype == weights.dtype == "int8"
    if kernels == CMSIS_NN_MVE and is_int8 and not is_convolution(weights, output):
        sizes.append(4 * output.shape[-1])
    return sizes


def _softmax(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [_SOFTMAX_TABLE_BYTES] * 2 if inputs[0].dtype == "int16" else []


def _svdf(inputs: list[Tensor], _: Tensor, kernels: str) -> list[int]:
    return [4 * inputs[1].shape[0]] if kernels == CMSIS_NN_MVE else []


def _lstm(inputs: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    """CMSIS-NN keeps the sums of each gate's weights, for the input and for the state."""
    if inputs[0].dtype == "float32" or kernels in (REFERENCE, *_ESP):
        return []
    return [(4 if inputs[0].dtype == "int8" else 8) * output.shape[-1]] * _LSTM_SUMS


_PREPARE_ALLOCATIONS: dict[str, Callable[[list[Tensor], Tensor, str], list[int]]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "SOFTMAX": _softmax,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}


def _input_output_structs(graph: Graph, abi: Abi) -> Iterator[_Allocation]:
    """Yield what the interpreter allocates for the model's inputs and outputs."""
    for indices in (graph.inputs, graph.outputs):
        yield abi.pointer * len(indices), ALIGNMENT
        for index in indices:
            yield from _tensor_structs(graph.tensors[index], abi)


def _tensor_structs(tensor: Tensor, abi: Abi) -> Iterator[_Allocation]:
    """Yield a TfLiteTensor and its quantization."""
    yield sizeof(structs.TENSOR, abi), alignof(structs.TENSOR, abi)
    if tensor.quant and tensor.quant.zero_point:
        yield sizeof(structs.QUANTIZATION, abi), abi.pointer
        yield 4 + 4 * len(tensor.quant.scale), 4


def _stacked_bytes(allocations: Iterable[_Allocation]) -> int:
    """Return the bytes of allocations that are stacked down from the arena's end."""
    used = 0
    for size, alignment in allocations:
        used = align(used + size, alignment)
    return used


def _planning_bytes(model: Model, machine: _Machine, planned: int, requests: int) -> int:
    """Return the bytes that TFLM uses temporarily in the space of the activations.

    They hold either its records of all tensors, while it plans, or the structs of one operator's
    tensors, while that is prepared.
    """
    abi = machine.abi
    tensors = sum(len(graph.tensors) for graph in model.subgraphs)
    requested = sizeof(structs.SCRATCH_REQUEST, abi) * (requests + _REQUESTS_AHEAD)
    lifetimes = abi.pointer * len(model.subgraphs)
    lifetimes += sizeof(structs.ALLOCATION_INFO, abi) * (tensors + requests)
    prepared = (_prepare_bytes(graph, operator, abi) for graph, operator in _operators(model))
    return max(
        align(requested + lifetimes, ALIGNMENT) + _PLANNED_BUFFER_BYTES * planned,
        requested + max(prepared, default=0),
    )


def _prepare_bytes(graph: Graph, operator: Operator, abi: Abi) -> int:
    """Bound the structs of an operator's tensors while it is prepared; convolutions use two."""
    indices = [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
    sets = 2 if "CONV" in operator.name else 1
    one = _stacked_bytes(
        each for index in indices for each in _tensor_structs(graph.tensors[index], abi)
    )
    return sets * one


def _count_dense(model: Model) -> int:
    return sum(operator.name == "FULLY_CONNECTED" for _, operator in _operators(model))


def _notes(model: Model, kernels: str, unplanned: int, unknown: int) -> Iterator[str]:
    """Yield notes on which parts of an arena are bounds, or may differ."""
    if len(model.subgraphs) > 1:
        yield "arena: tensors in control flow are assumed to be alive all the time"
    if unplanned:
        yield f"arena: {unplanned:,} bytes of unknown use are planned as on this host"
    if unknown:
        yield f"arena: {unknown:,} bytes of kernels' data are assumed as large as on this host"
    if kernels == ESP_NN_S3:
        yield "arena: ESP-NN's scratch buffers are upper bounds"
