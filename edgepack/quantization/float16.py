"""FLOAT16 constants, which DEQUANTIZE operators convert back for float32 operators.

As ``TFLiteConverter`` does with ``supported_types = [tf.float16]``, but for any float file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.rewrite import Rewrite

_DEQUANTIZE_VERSION = 3  # the first that accepts float16
_LARGEST = float(np.finfo(np.float16).max)


def to_float16(float_tflite: bytes, is_selected: Callable[[str], bool]) -> bytes:
    """Store the float32 constants of a float .tflite in float16.

    ``is_selected`` is called with the name of an operator's first output. Constants with values
    beyond float16's 65,504 are unchanged.
    """
    rewrite = Rewrite(float_tflite)
    graph = rewrite.graph
    dequantized: dict[int, int] = {}  # the float32 tensor that replaces each constant
    operators, graph.operators = graph.operators, []
    for operator in operators:
        if is_selected(graph.tensors[operator.outputs[0]].name.decode()):
            inputs = list(operator.inputs)
            for position, index in enumerate(inputs):
                if index >= 0 and (values := _as_float16(rewrite, index)) is not None:
                    if index not in dequantized:
                        dequantized[index] = _store(rewrite, index, values)
                    inputs[position] = dequantized[index]
            operator.inputs = inputs
        graph.operators.append(operator)
    rewrite.drop_unused()
    return rewrite.to_bytes()


def _as_float16(rewrite: Rewrite, index: int) -> NDArray[np.float16] | None:
    """Return a float32 constant as float16; None for another tensor, or beyond its range."""
    values: NDArray[Any] | None = rewrite.values(index)
    if values is None or values.dtype != np.float32 or np.abs(values).max() > _LARGEST:
        return None
    return values.astype(np.float16)


def _store(rewrite: Rewrite, index: int, values: NDArray[np.float16]) -> int:
    """Add the constant and its DEQUANTIZE operator; return the index of the operator's output."""
    tensor = rewrite.graph.tensors[index]
    name = tensor.name.decode()
    half = rewrite.add_tensor(name, tensor.shape, "float16", values=values)
    output = rewrite.add_tensor(f"{name}_float32", tensor.shape, "float32")
    rewrite.graph.operators.append(
        rewrite.operator("DEQUANTIZE", _DEQUANTIZE_VERSION, [half], [output])
    )
    return output
