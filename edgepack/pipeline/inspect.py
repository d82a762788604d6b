"""The inspection of a .tflite file, without running it and without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from edgepack.config.checked_call import takes
from edgepack.config.inspect import InspectConfig
from edgepack.core.former_names import former_call
from edgepack.footprint.liveness import GraphMemory, MemoryStep, called_graphs, graph_memories
from edgepack.pipeline.validation.read_inputs import read_model, reporting_damage
from edgepack.quantization.affine import real_range
from edgepack.report.data.inspect import (
    GraphInspection,
    InspectReport,
    LayerInspection,
    Peak,
    TensorInspection,
)
from edgepack.report.format.text_table import cut_start, list_names
from edgepack.storage.artifact import describe_bytes
from edgepack.tflite.graph import Graph, Model, Operator, Tensor
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.macs import STEPPED, macs
from edgepack.tflite.operator_calls import OperatorCall
from edgepack.tflite.sparsity import WEIGHT_INPUTS, count_zeros, has_countable_weights

_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    **WEIGHT_INPUTS,
    **STEPPED,
    "CONV_3D_TRANSPOSE": (1,),
    "EMBEDDING_LOOKUP": (1,),
}
_WITH_RANGE = ("int4", "int8", "uint8", "int16")
_RESOURCE = "VAR_HANDLE"
_MAX_NAME = 40
_WIDENING = ("DENSIFY", "DEQUANTIZE")


@dataclass(frozen=True, kw_only=True)
class _Weights:
    """The number of weights, and how many of them represent zero."""

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
class _CountedConstants:
    """The constants counted so far, by buffer: layers that share one count it once.

    ``charged`` has the buffers whose bytes a layer was charged with already.
    """

    charged: set[int] = field(default_factory=set)
    weights: dict[int, _Weights] = field(default_factory=dict)

    def count(self, tensor: Tensor) -> _Weights:
        """Count the weights in a constant; the result is cached."""
        if tensor.buffer not in self.weights:
            counted = _Weights(count=prod(tensor.shape), zeros=count_zeros(tensor))
            self.weights[tensor.buffer] = counted
        return self.weights[tensor.buffer]


@former_call(
    lambda path: InspectConfig(model=path),
    "inspect(path)",
    "inspect(InspectConfig(model=path))",
)
@takes(InspectConfig)
def inspect(config: InspectConfig) -> InspectReport:
    """Report the operators, tensors, memory and costs of a .tflite file.

    Raises :class:`~edgepack.core.errors.ModelError` if it is not a .tflite file, or damaged, and
    :class:`~edgepack.core.errors.AlteredError` if it does not match the manifest beside it.
    """
    data, model = read_model(config.model)
    with reporting_damage(config.model):
        return _inspection(config.model, data, model)


def _inspection(path: Path, data: bytes, model: Model) -> InspectReport:
    counted = _CountedConstants()
    graphs = tuple(
        _graph(graph, memory, counted)
        for graph, memory in zip(model.subgraphs, graph_memories(model), strict=True)
    )
    buffers = {each.buffer: len(each.data) for graph in model.subgraphs for each in graph.tensors}
    weights = _Weights.sum(counted.weights.values())
    return InspectReport(
        model=path.name,
        artifact=describe_bytes(data),
        constant_bytes=sum(buffers.values()),
        macs=sum(layer.macs or 0 for graph in graphs for layer in graph.layers),
        weights=weights.count,
        zeros=weights.fraction,
        graphs=graphs,
        notes=tuple(_notes(graphs)),
    )


def _graph(graph: Graph, memory: GraphMemory, counted: _CountedConstants) -> GraphInspection:
    names = layer_names(graph)
    widened = _widened(graph)
    layers = tuple(
        _layer(graph, operator, step, names, widened, counted)
        for operator, step in zip(graph.operators, memory.steps, strict=True)
    )
    roles = dict.fromkeys(memory.spans, "activation")
    roles |= dict.fromkeys(graph.outputs, "output") | dict.fromkeys(graph.inputs, "input")
    return GraphInspection(
        inputs=graph.inputs,
        outputs=graph.outputs,
        tensors=tuple(
            _tensor(index, tensor, roles, memory.spans.get(index), counted)
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
    """Map the outputs of DENSIFY and DEQUANTIZE operators to the constants they expand.

    Layers that compute in float use float16 and sparse weights in this way.
    """
    sources: dict[int, int] = {}
    for operator in graph.operators:
        if operator.name in _WIDENING and operator.inputs and operator.outputs:
            source = sources.get(operator.inputs[0], operator.inputs[0])
            if source >= 0 and graph.tensors[source].is_constant:
                sources[operator.outputs[0]] = source
    return sources


def _layer(
    graph: Graph,
    operator: Operator,
    step: MemoryStep,
    names: Mapping[int, str],
    widened: Mapping[int, int],
    counted: _CountedConstants,
) -> LayerInspection:
    inputs = [
        graph.tensors[widened.get(index, index)] if index >= 0 else None
        for index in operator.inputs
    ]
    is_widening = any(index in widened for index in operator.outputs)
    constants = {
        each.buffer: len(each.data)
        for each in inputs
        if each and not is_widening and each.buffer not in counted.charged
    }
    counted.charged |= constants.keys()
    places = () if operator.is_custom else _WEIGHTS.get(operator.name, ())
    weights_by_buffer = {
        each.buffer: counted.count(each)
        for place in places
        if place < len(inputs) and (each := inputs[place]) and has_countable_weights(each)
    }
    weights = _Weights.sum(weights_by_buffer.values())
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
        runs=tuple(called_graphs(operator)),
    )


def _tensor(
    index: int,
    tensor: Tensor,
    roles: Mapping[int, str],
    span: tuple[int, int] | None,
    counted: _CountedConstants,
) -> TensorInspection:
    quant = tensor.quant
    stored = {"constant": tensor.is_constant, "variable": tensor.is_variable}
    role = next((role for role, applies in stored.items() if applies), roles.get(index, "unused"))
    weights = counted.weights.get(tensor.buffer) if tensor.is_constant else None
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
    """Return the (lowest, highest) real value of a tensor with one scale; None for others."""
    quant = tensor.quant
    if not quant or tensor.dtype not in _WITH_RANGE:
        return None
    return real_range(tensor) if len(quant.scale) == len(quant.zero_point) == 1 else None


def _notes(graphs: Sequence[GraphInspection]) -> Iterator[str]:
    """Yield notes on what the figures omit or approximate."""
    layers = [layer for graph in graphs for layer in graph.layers]
    unknown = dict.fromkeys(
        cut_start(layer.operator, _MAX_NAME) for layer in layers if layer.macs is None
    )
    if unknown:
        yield f"MACs of {list_names([*unknown])} are unknown, and not counted"
    if any(None in tensor.signature for graph in graphs for tensor in graph.tensors):
        yield "dynamic dimensions (?) are counted with the size stored in the file, usually 1"
    if any(layer.runs for layer in layers):
        yield (
            "control flow: the MACs of each graph are counted once, however often it runs; an"
            " operator that runs graphs also needs memory for the most demanding of them"
        )
    if variables := sum(graph.variable_bytes for graph in graphs):
        yield f"variables, which keep {variables:,} bytes between runs, are alive all the time"
    if any(layer.operator == _RESOURCE for layer in layers):
        yield "resource variables are kept by the interpreter, and are not counted"
