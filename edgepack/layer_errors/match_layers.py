"""Matching of the tensors of a quantized file with those of its float file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Graph, Operator, Tensor
from edgepack.tflite.layer_names import layer_names

_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE"}
INPUT = "input"
"""The operator of an input of the model."""
_MOVES = {
    *("BATCH_TO_SPACE_ND", "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "MAXIMUM"),
    *("MAX_POOL_2D", "MINIMUM", "PACK", "PAD", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SLICE"),
    *("SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE"),
    *("TILE", "TRANSPOSE", "UNPACK"),
}
"""Operators that only move values: each output value is an input value, or zero."""

_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""The axis of the output channels in the weights, which are the second input."""

_FLOAT = "float32"


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A tensor of the float file and its counterpart in the quantized file.

    ``operator`` is the name of the operator that produces it, and ``position`` that operator's
    index in the float file; -1 for an input of the model. ``index`` and ``quantized_index`` are the
    tensor's indices in the two files, ``quantized`` is the tensor in the quantized file.
    ``constants`` are the operator's constants in the quantized file, by input index, without those
    in float32. ``sources`` are the names of the layers that it consumes. ``moves`` is whether
    quantized values pass unchanged: then the layer has the range of its sources, and adds no error
    to theirs.
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
        """The weights in the quantized file; None if the layer has none that are quantized."""
        return self.constants.get(1) if self.operator in _CHANNEL_AXIS else None


def match_layers(source: Graph, quantized: Graph) -> tuple[list[Layer], list[str]]:
    """Match the float tensors of a float file with those of a quantized file, in order.

    Quantizers keep the operators and their order, and add conversions between number formats. If
    the order differs, operators are matched by the names of their outputs. Returns the layers, and
    the names of those without a counterpart.
    """
    names = layer_names(source)
    layers = list(_input_layers(source, quantized, names))
    unmatched = []
    counterparts = _counterparts(source, quantized)
    for position, operator in enumerate(source.operators):
        counterpart = counterparts.get(position)
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
                    moves=_only_moves(quantized, counterpart, place),
                )
            )
    return layers, unmatched


def dequantized_constant(tensor: Tensor) -> NDArray[np.float32]:
    """Return the values of a constant in its shape, dequantized per tensor or per channel."""
    values = stored_values(tensor).reshape(tensor.shape).astype(np.float64)
    if tensor.quant is not None:
        shape = [1] * values.ndim
        if tensor.quant.axis is not None:
            shape[tensor.quant.axis] = -1
        scale = np.asarray(tensor.quant.scale).reshape(shape)
        values = (values - np.reshape(tensor.quant.zero_point, shape)) * scale
    return values.astype(np.float32)


def _only_moves(graph: Graph, operator: Operator, place: int) -> bool:
    """Whether an operator moves values, with the same quantization in all inputs and its output."""
    output = graph.tensors[operator.outputs[place]].quant
    computed = {index for each in graph.operators for index in each.outputs} | set(graph.inputs)
    inputs = [graph.tensors[index].quant for index in operator.inputs if index in computed]
    return operator.name in _MOVES and output is not None and set(inputs) == {output}


def weight_spread(layer: Layer) -> float | None:
    """Return the largest ratio between the largest absolute weights of two output channels.

    Channels of zeros do not count. None if there are no quantized weights, if each channel has its
    own scale, or if all weights are zero.
    """
    weights = layer.weights
    if weights is None or weights.quant is None or weights.quant.axis is not None:
        return None
    channels = np.moveaxis(dequantized_constant(weights), _CHANNEL_AXIS[layer.operator], 0)
    largest = np.abs(channels).reshape(len(channels), -1).max(axis=1)
    nonzero = largest[largest > 0]
    return float(nonzero.max() / nonzero.min()) if nonzero.size else None


def _input_layers(source: Graph, quantized: Graph, names: dict[int, str]) -> Iterator[Layer]:
    """Yield a layer for each float input of the model.

    If the quantized model quantizes a float input itself, the layer has the quantized tensor.
    """
    for index, quantized_index in zip(source.inputs, quantized.inputs, strict=True):
        if source.tensors[index].dtype != _FLOAT:
            continue
        counterpart = quantized_index
        for operator in quantized.operators:
            if operator.name == "QUANTIZE" and operator.inputs == (quantized_index,):
                counterpart = operator.outputs[0]
        yield Layer(
            name=names[index],
            operator=INPUT,
            position=-1,
            index=index,
            quantized_index=counterpart,
            quantized=quantized.tensors[counterpart],
            constants={},
            sources=(),
        )


def _counterparts(source: Graph, quantized: Graph) -> dict[int, Operator]:
    """Return the operators of the quantized file, by the positions of the float operators."""
    float_operators = {
        position: operator
        for position, operator in enumerate(source.operators)
        if operator.name not in _CONVERSIONS
    }
    others = [operator for operator in quantized.operators if operator.name not in _CONVERSIONS]
    if [each.name for each in float_operators.values()] == [each.name for each in others]:
        return dict(zip(float_operators, others, strict=True))
    counterparts: dict[int, Operator] = {}
    for names in (_tensor_names, layer_names):  # layer names are the same with another converter
        quantized_names, float_names = names(quantized), names(source)
        by_key = {_operator_key(quantized_names, operator): operator for operator in others}
        for position, operator in float_operators.items():
            if (key := _operator_key(float_names, operator)) in by_key:
                counterparts.setdefault(position, by_key[key])
    return counterparts


def _tensor_names(graph: Graph) -> dict[int, str]:
    return {index: tensor.name for index, tensor in enumerate(graph.tensors)}


def _operator_key(names: dict[int, str], operator: Operator) -> tuple[str, ...]:
    """Return the name of an operator, followed by those of its outputs."""
    return (operator.name, *(names[index] for index in operator.outputs))


def _constants(
    source: Graph, operator: Operator, quantized: Graph, counterpart: Operator
) -> dict[int, Tensor]:
    """Return the constants that are not float32 in the quantized file, by input index."""
    stored = {
        converted.outputs[0]: converted.inputs[0]
        for converted in quantized.operators
        if converted.name == "DEQUANTIZE"
    }
    constants = {}
    for place, (index, other) in enumerate(zip(operator.inputs, counterpart.inputs, strict=False)):
        if index < 0 or other < 0 or source.tensors[index].dtype != _FLOAT:
            continue
        tensor = quantized.tensors[stored.get(other, other)]
        if source.tensors[index].is_constant and tensor.is_constant and tensor.dtype != _FLOAT:
            constants[place] = tensor
    return constants
