"""Types of a quantized model's inputs and outputs: int8, uint8, int16 or float32."""

from __future__ import annotations

from typing import Any

from edgepack.quantization.int16 import scale_in_int16
from edgepack.quantization.real_constants import is_integer
from edgepack.tflite.rewrite import Rewrite, dtype, quantization

_UINT8_OFFSET = 128  # from int8
_QUANTIZE_VERSIONS = {"int8": 1, "uint8": 1, "int16": 2}
"""The versions of QUANTIZE by the type of its output."""
_DEQUANTIZE_VERSIONS = {"int8": 2, "int16": 3}
"""The versions of DEQUANTIZE by the type of its input."""


def convert_inputs_and_outputs(tflite: bytes, input_type: str, output_type: str) -> bytes:
    """Change the types of a quantized .tflite's inputs and outputs by adding conversions.

    The conversions are QUANTIZE and DEQUANTIZE operators. Tensors that are not quantized to int8 or
    int16, such as token ids, are unchanged. A float32 input or output next to a float operator is
    connected to it directly.
    """
    rewrite = Rewrite(tflite)
    inputs = [index for index in rewrite.graph.inputs if _differs(rewrite, index, input_type)]
    outputs = [index for index in rewrite.graph.outputs if _differs(rewrite, index, output_type)]
    if not inputs and not outputs:
        return tflite
    for index in inputs:
        _convert_input(rewrite, index, input_type)
    for index in dict.fromkeys(outputs):
        _convert_output(rewrite, index, output_type)
    rewrite.drop_unused()
    return rewrite.to_bytes()


def _differs(rewrite: Rewrite, index: int, new_type: str) -> bool:
    tensor = rewrite.graph.tensors[index]
    is_quantized = is_integer(rewrite, index) or is_integer(rewrite, index, "int16")
    return is_quantized and dtype(tensor) != new_type


def _convert_input(rewrite: Rewrite, index: int, new_type: str) -> None:
    graph = rewrite.graph
    consumers = [operator for operator in graph.operators if index in operator.inputs]
    if new_type == "float32" and [rewrite.name(each) for each in consumers] == ["DEQUANTIZE"]:
        graph.operators.remove(consumers[0])
        rewrite.replace_input(index, int(consumers[0].outputs[0]))
        return
    added = _add_tensor(rewrite, index, new_type)
    graph.operators.insert(0, _conversion(rewrite, added, index))
    rewrite.replace_input(index, added)


def _convert_output(rewrite: Rewrite, index: int, new_type: str) -> None:
    graph = rewrite.graph
    producers = [operator for operator in graph.operators if index in operator.outputs]
    if new_type == "float32" and [rewrite.name(each) for each in producers] == ["QUANTIZE"]:
        source = int(producers[0].inputs[0])
        if dtype(graph.tensors[source]) == "float32":
            if not any(index in operator.inputs for operator in graph.operators):
                graph.operators.remove(producers[0])
            rewrite.replace_output(index, source)
            return
    added = _add_tensor(rewrite, index, new_type)
    graph.operators.append(_conversion(rewrite, index, added))
    rewrite.replace_output(index, added)


def _add_tensor(rewrite: Rewrite, index: int, new_type: str) -> int:
    """Add a tensor for the same real values in another type; return its index."""
    tensor = rewrite.graph.tensors[index]
    return rewrite.add_tensor(
        f"{tensor.name.decode()}_{new_type}",
        tensor.shape,
        new_type,
        quantization=_parameters(tensor.quantization, new_type),
    )


def _parameters(int8: Any, new_type: str) -> Any:
    """Return the quantization in another type of an int8 tensor; None for float32."""
    scale, zero_point = float(int8.scale[0]), int(int8.zeroPoint[0])
    if new_type == "uint8":
        return quantization([scale], [zero_point + _UINT8_OFFSET])
    if new_type == "int16":
        return quantization([scale_in_int16(scale, zero_point)], [0])
    return None


def _conversion(rewrite: Rewrite, source: int, output: int) -> Any:
    """Create the operator that converts one tensor to another, in the version for their types."""
    source_type, output_type = (dtype(rewrite.graph.tensors[index]) for index in (source, output))
    if output_type == "float32":
        version = _DEQUANTIZE_VERSIONS[source_type]
        return rewrite.operator("DEQUANTIZE", version, [source], [output])
    return rewrite.operator("QUANTIZE", _QUANTIZE_VERSIONS[output_type], [source], [output])
