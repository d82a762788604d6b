"""The types of a quantized model's inputs and outputs: int8, uint8, int16 or float32."""

from __future__ import annotations

from typing import Any

from edgepack.quantization.int16 import scale_in_int16
from edgepack.quantization.real_constants import is_integer
from edgepack.tflite.rewrite import Rewrite, dtype, quantization

_UINT8_OVER_INT8 = 128  # the same numbers, counted from 0
_TO = {"int8": 1, "uint8": 1, "int16": 2}
_FROM = {"int8": 2, "int16": 3}
"""The versions of QUANTIZE that make a type, and of DEQUANTIZE that take one."""


def change_ends(tflite: bytes, input_type: str, output_type: str) -> bytes:
    """Let a quantized .tflite take and give other types, by QUANTIZE and DEQUANTIZE operators.

    What is no quantized int8 or int16, such as token numbers, stays as it is. An end in float32
    beside an operator in float is joined to it directly.
    """
    rewrite = Rewrite(tflite)
    taken = [index for index in rewrite.graph.inputs if _differs(rewrite, index, input_type)]
    given = [index for index in rewrite.graph.outputs if _differs(rewrite, index, output_type)]
    if not taken and not given:
        return tflite
    for index in taken:
        _take(rewrite, index, input_type)
    for index in dict.fromkeys(given):
        _give(rewrite, index, output_type)
    rewrite.drop_unused()
    return rewrite.to_bytes()


def _differs(rewrite: Rewrite, index: int, wanted: str) -> bool:
    tensor = rewrite.graph.tensors[index]
    is_quantized = is_integer(rewrite, index) or is_integer(rewrite, index, "int16")
    return is_quantized and dtype(tensor) != wanted


def _take(rewrite: Rewrite, index: int, wanted: str) -> None:
    graph = rewrite.graph
    takers = [operator for operator in graph.operators if index in operator.inputs]
    if wanted == "float32" and [rewrite.name(taker) for taker in takers] == ["DEQUANTIZE"]:
        graph.operators.remove(takers[0])
        rewrite.replace_input(index, int(takers[0].outputs[0]))
        return
    added = _add(rewrite, index, wanted)
    graph.operators.insert(0, _conversion(rewrite, added, index))
    rewrite.replace_input(index, added)


def _give(rewrite: Rewrite, index: int, wanted: str) -> None:
    graph = rewrite.graph
    makers = [operator for operator in graph.operators if index in operator.outputs]
    if wanted == "float32" and [rewrite.name(maker) for maker in makers] == ["QUANTIZE"]:
        source = int(makers[0].inputs[0])
        if dtype(graph.tensors[source]) == "float32":
            if not any(index in operator.inputs for operator in graph.operators):
                graph.operators.remove(makers[0])
            rewrite.replace_output(index, source)
            return
    added = _add(rewrite, index, wanted)
    graph.operators.append(_conversion(rewrite, index, added))
    rewrite.replace_output(index, added)


def _add(rewrite: Rewrite, index: int, wanted: str) -> int:
    """Add a tensor that stands for the same values in another type."""
    tensor = rewrite.graph.tensors[index]
    return rewrite.add_tensor(
        f"{tensor.name.decode()}_{wanted}",
        tensor.shape,
        wanted,
        quantization=_parameters(tensor.quantization, wanted),
    )


def _parameters(int8: Any, wanted: str) -> Any:
    scale, zero_point = float(int8.scale[0]), int(int8.zeroPoint[0])
    if wanted == "uint8":
        return quantization([scale], [zero_point + _UINT8_OVER_INT8])
    if wanted == "int16":
        return quantization([scale_in_int16(scale, zero_point)], [0])
    return None


def _conversion(rewrite: Rewrite, source: int, made: int) -> Any:
    """Make the operator between two types, in the version that has it."""
    given, wanted = (dtype(rewrite.graph.tensors[index]) for index in (source, made))
    if wanted == "float32":
        return rewrite.operator("DEQUANTIZE", _FROM[given], [source], [made])
    return rewrite.operator("QUANTIZE", _TO[wanted], [source], [made])
