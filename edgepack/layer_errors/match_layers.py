"""Which tensor of a quantized file belongs to which of the float file it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Graph, Operator, Tensor
from edgepack.tflite.layer_names import layer_names

_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE"}
_INPUT = "input"
_MOVES = {
    *("BATCH_TO_SPACE_ND", "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "MAXIMUM"),
    *("MAX_POOL_2D", "MINIMUM", "PACK", "PAD", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SLICE"),
    *("SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE"),
    *("TILE", "TRANSPOSE", "UNPACK"),
}
"""Operators that compute nothing: each value that they give is one that they took, or zero."""

_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""Of the output channels in the weights, which are the second input."""

_FLOAT = "float32"


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A tensor of the float file and what became of it.

    ``operator`` writes it, the one at ``position`` in the float file; -1 for an input of the
    model. ``index`` and ``quantized_index`` are the tensor's in the two files, ``quantized`` is
    what it became. ``constants`` has the operator's constants as the quantized file holds them, by
    the place among its inputs, those that it holds in float32 left out. ``sources`` names the
    layers that it takes. ``moves`` is set where quantized values pass unchanged: then the layer
    adds no error to its sources', whose range it has.
    """

    name: str
    operator: str
    position: int
    index: int
    quantized_index: int
    quantized: Tensor
    constants: dict[int, Tensor]
    sources: tuple[str, ...]
    moves: bool = False

    @property
    def weights(self) -> Tensor | None:
        """The weights as the quantized file holds them, if the layer has any."""
        return self.constants.get(1) if self.operator in _CHANNEL_AXIS else None


def match_layers(source: Graph, quantized: Graph) -> tuple[list[Layer], list[str]]:
    """Pair the float tensors of a float file with those of a quantized one, in order.

    Quantizers keep the operators and their order, and add conversions between number formats;
    where the order differs, the names of the outputs decide. Returns the layers, and the names of
    those without a counterpart.
    """
    names = layer_names(source)
    layers = list(_inputs(source, quantized, names))
    unmatched = []
    pairs = _pairs(source, quantized)
    for position, operator in enumerate(source.operators):
        counterpart = pairs.get(position)
        for place, index in enumerate(operator.outputs):
            if source.tensors[index].dtype != _FLOAT:
                continue
            if counterpart is None:
                unmatched.append(names[index])
                continue
            layers.append(
                Layer(
                    name=names[index],
                    operator=operator.name,
                    position=position,
                    index=index,
                    quantized_index=counterpart.outputs[place],
                    quantized=quantized.tensors[counterpart.outputs[place]],
                    constants=_constants(source, operator, quantized, counterpart),
                    sources=tuple(names[i] for i in operator.inputs if i in names),
                    moves=_moves(quantized, counterpart, place),
                )
            )
    return layers, unmatched


def dequantized_constant(tensor: Tensor) -> NDArray[np.float32]:
    """Dequantize a constant, per tensor or along its axis."""
    values = stored_values(tensor).reshape(tensor.shape).astype(np.float64)
    if tensor.quant is not None:
        shape = [1] * values.ndim
        if tensor.quant.axis is not None:
            shape[tensor.quant.axis] = -1
        scale = np.asarray(tensor.quant.scale).reshape(shape)
        values = (values - np.reshape(tensor.quant.zero_point, shape)) * scale
    return values.astype(np.float32)


def _moves(graph: Graph, operator: Operator, place: int) -> bool:
    made = graph.tensors[operator.outputs[place]].quant
    computed = {index for each in graph.operators for index in each.outputs} | set(graph.inputs)
    taken = [graph.tensors[index].quant for index in operator.inputs if index in computed]
    return operator.name in _MOVES and made is not None and set(taken) == {made}


def weight_spread(layer: Layer) -> float | None:
    """Divide the largest weight of one output channel by that of another, at most.

    None without weights, and where each channel has a scale of its own.
    """
    weights = layer.weights
    if weights is None or weights.quant is None or weights.quant.axis is not None:
        return None
    channels = np.moveaxis(dequantized_constant(weights), _CHANNEL_AXIS[layer.operator], 0)
    largest = np.abs(channels).reshape(len(channels), -1).max(axis=1)
    used = largest[largest > 0]
    return float(used.max() / used.min()) if used.size else None


def _inputs(source: Graph, quantized: Graph, names: dict[int, str]) -> Iterator[Layer]:
    """Give each real input of the model as a layer; behind a border in float the quantized one."""
    for index, own in zip(source.inputs, quantized.inputs, strict=True):
        if source.tensors[index].dtype != _FLOAT:
            continue
        found = own
        for operator in quantized.operators:
            if operator.name == "QUANTIZE" and operator.inputs == (own,):
                found = operator.outputs[0]
        yield Layer(
            name=names[index],
            operator=_INPUT,
            position=-1,
            index=index,
            quantized_index=found,
            quantized=quantized.tensors[found],
            constants={},
            sources=(),
        )


def _pairs(source: Graph, quantized: Graph) -> dict[int, Operator]:
    """Find the quantized operators, by the positions of the float ones."""
    own = {
        position: operator
        for position, operator in enumerate(source.operators)
        if operator.name not in _CONVERSIONS
    }
    others = [operator for operator in quantized.operators if operator.name not in _CONVERSIONS]
    if [operator.name for operator in own.values()] == [operator.name for operator in others]:
        return dict(zip(own, others, strict=True))
    found: dict[int, Operator] = {}
    for names in (_tensor_names, layer_names):  # the second are the same after another converter
        theirs, ours = names(quantized), names(source)
        by_names = {_outputs(theirs, operator): operator for operator in others}
        for position, operator in own.items():
            if (key := _outputs(ours, operator)) in by_names:
                found.setdefault(position, by_names[key])
    return found


def _tensor_names(graph: Graph) -> dict[int, str]:
    return {index: tensor.name for index, tensor in enumerate(graph.tensors)}


def _outputs(names: dict[int, str], operator: Operator) -> tuple[str, ...]:
    return (operator.name, *(names[index] for index in operator.outputs))


def _constants(
    source: Graph, operator: Operator, quantized: Graph, counterpart: Operator
) -> dict[int, Tensor]:
    """Find the constants that the quantized file holds in another format."""
    stored = {
        converted.outputs[0]: converted.inputs[0]
        for converted in quantized.operators
        if converted.name == "DEQUANTIZE"
    }
    found = {}
    for place, (index, other) in enumerate(zip(operator.inputs, counterpart.inputs, strict=False)):
        if index < 0 or other < 0 or source.tensors[index].dtype != _FLOAT:
            continue
        tensor = quantized.tensors[stored.get(other, other)]
        if source.tensors[index].is_constant and tensor.is_constant and tensor.dtype != _FLOAT:
            found[place] = tensor
    return found
