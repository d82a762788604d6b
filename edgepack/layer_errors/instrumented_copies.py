"""Modified copies of .tflite files that expose inner tensors, or quantize a single layer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from edgepack.layer_errors.match_layers import Layer, dequantized_constant
from edgepack.tflite.graph import Tensor
from edgepack.tflite.rewrite import Rewrite, quantization

_VERSIONS = {"int8": (1, 2), "uint8": (1, 1), "int16": (2, 3)}
"""Versions of QUANTIZE from float32 and of DEQUANTIZE to float32, by integer type."""


def expose_tensors(data: bytes, tensors: Iterable[int]) -> bytes:
    """Return a copy of a file whose outputs are these tensors, in this order."""
    rewrite = Rewrite(data)
    rewrite.set_outputs(tensors)
    return rewrite.to_bytes()


def expose_layers_and_twins(data: bytes, layers: Sequence[Layer]) -> bytes:
    """Return a copy of a float file whose outputs are the layers' tensors, then those of twins.

    A layer with quantized constants has a twin: the same operator on the same inputs, but with the
    dequantized constants. ``layers`` must not be inputs of the model.
    """
    rewrite = Rewrite(data)
    graph = rewrite.graph
    twins, originals = [], list(graph.operators)
    for layer in layers:
        if not layer.constants:
            continue
        operator = copy.copy(originals[layer.position])
        operator.outputs = [_add_copy(rewrite, index) for index in operator.outputs]
        operator.inputs = _with_constants(rewrite, operator, layer)
        graph.operators.append(operator)
        place = list(originals[layer.position].outputs).index(layer.index)
        twins.append(operator.outputs[place])
    rewrite.set_outputs([*(layer.index for layer in layers), *twins])
    return rewrite.to_bytes()


def quantize_single_layer(data: bytes, layer: Layer) -> bytes:
    """Return a copy of a float file with one layer quantized: its constants and its output."""
    rewrite = Rewrite(data)
    operators = rewrite.graph.operators
    if layer.constants:
        operator = operators[layer.position]
        operator.inputs = _with_constants(rewrite, operator, layer)
    tensor = layer.quantized
    if tensor.quant is not None and tensor.dtype in _VERSIONS and not layer.moves:
        shape = rewrite.graph.tensors[layer.index].shape
        quantize_version, dequantize_version = _VERSIONS[tensor.dtype]
        integers = rewrite.add_tensor(
            "integers", shape, tensor.dtype, quantization=_quantization(tensor)
        )
        real = _add_copy(rewrite, layer.index)
        _replace(rewrite, layer.index, real)
        after = layer.position + 1
        operators[after:after] = [
            rewrite.operator("QUANTIZE", quantize_version, [layer.index], [integers]),
            rewrite.operator("DEQUANTIZE", dequantize_version, [integers], [real]),
        ]
    return rewrite.to_bytes()


def _add_copy(rewrite: Rewrite, index: int) -> int:
    """Add a float32 tensor of the same shape; returns its index."""
    tensor = rewrite.graph.tensors[index]
    return rewrite.add_tensor(f"{index}'", () if tensor.shape is None else tensor.shape, "float32")


def _with_constants(rewrite: Rewrite, operator: Any, layer: Layer) -> list[int]:
    """Return an operator's inputs, with added float32 tensors for its dequantized constants."""
    inputs = [int(index) for index in operator.inputs]
    for place, tensor in layer.constants.items():
        values = dequantized_constant(tensor)
        inputs[place] = rewrite.add_tensor(
            f"{layer.name}:{place}", values.shape, "float32", values=values
        )
    return inputs


def _quantization(tensor: Tensor) -> Any:
    assert tensor.quant is not None  # noqa: S101 (checked by the caller)
    return quantization(tensor.quant.scale, tensor.quant.zero_point)


def _replace(rewrite: Rewrite, old: int, new: int) -> None:
    """Replace a tensor by another wherever it is consumed: in operators and model outputs."""
    for operator in rewrite.graph.operators:
        operator.inputs = [new if index == old else int(index) for index in operator.inputs]
    rewrite.set_outputs(new if index == old else index for index in rewrite.graph.outputs)
