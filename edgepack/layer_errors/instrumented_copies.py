"""Copies of .tflite files that show what is inside."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from edgepack.layer_errors.match_layers import Layer, dequantized_constant
from edgepack.tflite.graph import Tensor
from edgepack.tflite.rewrite import Rewrite, quantization

_VERSIONS = {"int8": (1, 2), "uint8": (1, 1), "int16": (2, 3)}
"""Of QUANTIZE from float32 and of DEQUANTIZE to it, by the type between."""


def expose_tensors(data: bytes, tensors: Iterable[int]) -> bytes:
    """Make a file give these tensors, in this order."""
    rewrite = Rewrite(data)
    rewrite.give(tensors)
    return rewrite.to_bytes()


def expose_layers_and_twins(data: bytes, layers: Sequence[Layer]) -> bytes:
    """Make a float file give each layer's tensor, then that of each layer's twin.

    A layer with quantized constants has a twin: the same operator with their values, which takes
    the float model's own tensors. ``layers`` are no inputs of the model.
    """
    rewrite = Rewrite(data)
    graph = rewrite.graph
    twins, before = [], list(graph.operators)
    for layer in layers:
        if not layer.constants:
            continue
        operator = copy.copy(before[layer.position])
        operator.outputs = [_like(rewrite, index) for index in operator.outputs]
        operator.inputs = _with_constants(rewrite, operator, layer)
        graph.operators.append(operator)
        twins.append(operator.outputs[list(before[layer.position].outputs).index(layer.index)])
    rewrite.give([*(layer.index for layer in layers), *twins])
    return rewrite.to_bytes()


def quantize_single_layer(data: bytes, layer: Layer) -> bytes:
    """Quantize one layer of a float file: its constants, and the tensor that it writes."""
    rewrite = Rewrite(data)
    operators = rewrite.graph.operators
    if layer.constants:
        operator = operators[layer.position]
        operator.inputs = _with_constants(rewrite, operator, layer)
    made = layer.quantized
    if made.quant is not None and made.dtype in _VERSIONS and not layer.moves:
        shape = rewrite.graph.tensors[layer.index].shape
        there, back = _VERSIONS[made.dtype]
        integers = rewrite.add_tensor("integers", shape, made.dtype, quantization=_affine(made))
        real = _like(rewrite, layer.index)
        _replace(rewrite, layer.index, real)
        at = layer.position + 1
        operators[at:at] = [
            rewrite.operator("QUANTIZE", there, [layer.index], [integers]),
            rewrite.operator("DEQUANTIZE", back, [integers], [real]),
        ]
    return rewrite.to_bytes()


def _like(rewrite: Rewrite, index: int) -> int:
    tensor = rewrite.graph.tensors[index]
    return rewrite.add_tensor(f"{index}'", () if tensor.shape is None else tensor.shape, "float32")


def _with_constants(rewrite: Rewrite, operator: Any, layer: Layer) -> list[int]:
    """Give the operator's inputs, its constants as the quantized file has them, in float32."""
    inputs = [int(index) for index in operator.inputs]
    for place, tensor in layer.constants.items():
        values = dequantized_constant(tensor)
        inputs[place] = rewrite.add_tensor(
            f"{layer.name}:{place}", values.shape, "float32", values=values
        )
    return inputs


def _affine(tensor: Tensor) -> Any:
    assert tensor.quant is not None  # noqa: S101 (the caller looked)
    return quantization(tensor.quant.scale, tensor.quant.zero_point)


def _replace(rewrite: Rewrite, old: int, new: int) -> None:
    """Let all that takes a tensor, operators and outputs of the model, take another."""
    for operator in rewrite.graph.operators:
        operator.inputs = [new if index == old else int(index) for index in operator.inputs]
    rewrite.give(new if index == old else index for index in rewrite.graph.outputs)
