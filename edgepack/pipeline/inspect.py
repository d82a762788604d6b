"""What a .tflite file holds, without running it and without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from edgepack.footprint.liveness import Memory, MemoryStep, memories, runs
from edgepack.pipeline.validation.read_inputs import making_sense_of, read_model
from edgepack.quantization.affine import real_range
from edgepack.report.data.inspection import (
    GraphInspection,
    Inspection,
    LayerInspection,
    Peak,
    TensorInspection,
)
from edgepack.report.format.text_table import cut, shorten
from edgepack.storage.artifact import describe_bytes
from edgepack.tflite.graph import Graph, Model, Operator, Tensor
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.macs import STEPPED, macs
from edgepack.tflite.operator_calls import OperatorCall
from edgepack.tflite.sparsity import WEIGHT_INPUTS, has_countable_weights, zeros

_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    **WEIGHT_INPUTS,
    **STEPPED,
    "CONV_3D_TRANSPOSE": (1,),
    "EMBEDDING_LOOKUP": (1,),
}
_WITH_RANGE = ("int4", "int8", "uint8", "int16")
_RESOURCE = "VAR_HANDLE"
_NAME = 40
_WIDENING = ("DENSIFY", "DEQUANTIZE")


@dataclass(frozen=True, kw_only=True)
class _Weights:
    """How many weights there are, and how many of them mean zero."""

    count: int
    zeros: int

    @classmethod
    def sum(cls, parts: Iterable[_Weights]) -> _Weights:
        listed = [*parts]
        return cls(count=sum(w.count for w in listed), zeros=sum(w.zeros for w in listed))

    @property
    def fraction(self) -> float | None:
        return self.zeros / self.count if self.count else None


@dataclass(kw_only=True)
class _Seen:
    """Constants that layers have taken so far, by buffer: what they share counts once."""

    charged: set[int] = field(default_factory=set)
    weights: dict[int, _Weights] = field(default_factory=dict)

    def count(self, tensor: Tensor) -> _Weights:
        """Count the weights in a constant."""
        if tensor.buffer not in self.weights:
            counted = _Weights(count=prod(tensor.shape), zeros=zeros(tensor))
            self.weights[tensor.buffer] = counted
        return self.weights[tensor.buffer]


def inspect(path: Path | str) -> Inspection:
    """Tell what a .tflite file holds.

    Raises :class:`~edgepack.core.errors.ModelError` if it is none, or damaged, and
    :class:`~edgepack.core.errors.AlteredError` if it is not what the manifest beside it says.
    """
    path = Path(path)
    data, model = read_model(path)
    with making_sense_of(path):
        return _inspection(path, data, model)


def _inspection(path: Path, data: bytes, model: Model) -> Inspection:
    needed = memories(model)
    seen = _Seen()
    graphs = tuple(
        _graph(graph, memory, seen) for graph, memory in zip(model.subgraphs, needed, strict=True)
    )
    held = {each.buffer: len(each.data) for graph in model.subgraphs for each in graph.tensors}
    weights = _Weights.sum(seen.weights.values())
    return Inspection(
        model=path.name,
        artifact=describe_bytes(data),
        constant_bytes=sum(held.values()),
        macs=sum(layer.macs or 0 for graph in graphs for layer in graph.layers),
        weights=weights.count,
        zeros=weights.fraction,
        graphs=graphs,
        notes=tuple(_notes(graphs)),
    )


def _graph(graph: Graph, memory: Memory, seen: _Seen) -> GraphInspection:
    names = layer_names(graph)
    widened = _widened(graph)
    layers = tuple(
        _layer(graph, operator, step, names, widened, seen)
        for operator, step in zip(graph.operators, memory.steps, strict=True)
    )
    roles = dict.fromkeys(memory.spans, "activation")
    roles |= dict.fromkeys(graph.outputs, "output") | dict.fromkeys(graph.inputs, "input")
    return GraphInspection(
        inputs=graph.inputs,
        outputs=graph.outputs,
        tensors=tuple(
            _tensor(index, tensor, roles, memory.spans.get(index), seen)
            for index, tensor in enumerate(graph.tensors)
        ),
        layers=layers,
        start_bytes=memory.start,
        variable_bytes=memory.variables,
        peak=Peak(
            bytes=memory.peak,
            layer=memory.peak_step,
            tensors=memory.alive,
            called_bytes=memory.called,
        ),
    )


def _widened(graph: Graph) -> dict[int, int]:
    """Find the constants behind the tensors that are made of them before they are used.

    A layer that computes in float takes weights in float16 and sparse ones in this way.
    """
    found: dict[int, int] = {}
    for operator in graph.operators:
        if operator.name in _WIDENING and operator.inputs and operator.outputs:
            source = found.get(operator.inputs[0], operator.inputs[0])
            if source >= 0 and graph.tensors[source].is_constant:
                found[operator.outputs[0]] = source
    return found


def _layer(
    graph: Graph,
    operator: Operator,
    step: MemoryStep,
    names: Mapping[int, str],
    widened: Mapping[int, int],
    seen: _Seen,
) -> LayerInspection:
    taken = [
        graph.tensors[widened.get(index, index)] if index >= 0 else None
        for index in operator.inputs
    ]
    is_widening = any(index in widened for index in operator.outputs)
    constants = {
        each.buffer: len(each.data)
        for each in taken
        if each and not is_widening and each.buffer not in seen.charged
    }
    seen.charged |= constants.keys()
    places = () if operator.is_custom else _WEIGHTS.get(operator.name, ())
    counted = {
        each.buffer: seen.count(each)
        for place in places
        if place < len(taken) and (each := taken[place]) and has_countable_weights(each)
    }
    weights = _Weights.sum(counted.values())
    return LayerInspection(
        name=names[operator.outputs[0]] if operator.outputs else operator.name.lower(),
        operator=operator.name,
        version=operator.version,
        is_custom=operator.is_custom,
        options=operator.options,
        inputs=operator.inputs,
        outputs=operator.outputs,
        constant_bytes=sum(constants.values()),
        weights=weights.count,
        zeros=weights.fraction,
        macs=macs(OperatorCall.of(graph, operator)),
        memory_bytes=step.alive,
        waiting_bytes=step.waiting,
        runs=tuple(runs(operator)),
    )


def _tensor(
    index: int,
    tensor: Tensor,
    roles: Mapping[int, str],
    span: tuple[int, int] | None,
    seen: _Seen,
) -> TensorInspection:
    quant = tensor.quant
    kept = {"constant": tensor.is_constant, "variable": tensor.is_variable}
    role = next((role for role, holds in kept.items() if holds), roles.get(index, "unused"))
    weights = seen.weights.get(tensor.buffer) if tensor.is_constant else None
    return TensorInspection(
        index=index,
        name=tensor.name,
        role=role,
        dtype=tensor.dtype,
        shape=tensor.shape,
        signature=tuple(size if size >= 0 else None for size in tensor.signature),
        bytes=len(tensor.data) or tensor.value_bytes,
        scale=quant.scale if quant else (),
        zero_point=quant.zero_point if quant else (),
        axis=quant.axis if quant else None,
        real_range=_real_range(tensor),
        zeros=weights.fraction if weights else None,
        is_sparse=tensor.is_sparse,
        is_blockwise=tensor.is_blockwise,
        first_step=span[0] if span else None,
        last_step=span[1] if span else None,
    )


def _real_range(tensor: Tensor) -> tuple[float, float] | None:
    """Tell the real values that a tensor with one scale can represent."""
    quant = tensor.quant
    if not quant or tensor.dtype not in _WITH_RANGE:
        return None
    return real_range(tensor) if len(quant.scale) == len(quant.zero_point) == 1 else None


def _notes(graphs: Sequence[GraphInspection]) -> Iterator[str]:
    """Say what the figures leave out, or take for something else."""
    layers = [layer for graph in graphs for layer in graph.layers]
    unknown = dict.fromkeys(cut(layer.operator, _NAME) for layer in layers if layer.macs is None)
    if unknown:
        yield f"MACs of {shorten([*unknown])} cannot be told, and are left out"
    if any(None in tensor.signature for graph in graphs for tensor in graph.tensors):
        yield (
            "dimensions that change from run to run (?) are counted as the file has them, mostly 1"
        )
    if any(layer.runs for layer in layers):
        yield (
            "control flow: the MACs of each graph are counted once, however often it runs; an"
            " operator that runs graphs needs memory for the most demanding of them besides"
        )
    if variables := sum(graph.variable_bytes for graph in graphs):
        yield f"variables, which keep {variables:,} bytes from run to run, are alive all the time"
    if any(layer.operator == _RESOURCE for layer in layers):
        yield "resource variables are kept by the interpreter, and are not counted"
