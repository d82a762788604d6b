"""FLOAT16 constants, which a DEQUANTIZE turns back before float32 operators take them.

What ``TFLiteConverter`` does for ``supported_types = [tf.float16]``, for any float file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.rewrite import Rewrite

_DEQUANTIZE_VERSION = 3  # the first that takes float16
_LARGEST = float(np.finfo(np.float16).max)


def to_float16(float_tflite: bytes, chosen: Callable[[str], bool]) -> bytes:
    """Store the float32 constants of a float .tflite in float16.

    ``chosen`` tells by the name of an operator's first output. Constants beyond float16's 65,504
    stay as they are.
    """
    rewrite = Rewrite(float_tflite)
    graph = rewrite.graph
    whole: dict[int, int] = {}  # the float32 tensor that is made of each constant
    operators, graph.operators = graph.operators, []
    for operator in operators:
        if chosen(graph.tensors[operator.outputs[0]].name.decode()):
            inputs = list(operator.inputs)
            for position, index in enumerate(inputs):
                if index >= 0 and (values := _fitting(rewrite, index)) is not None:
                    if index not in whole:
                        whole[index] = _store(rewrite, index, values)
                    inputs[position] = whole[index]
            operator.inputs = inputs
        graph.operators.append(operator)
    rewrite.drop_unused()
    return rewrite.to_bytes()


def _fitting(rewrite: Rewrite, index: int) -> NDArray[np.float16] | None:
    values: NDArray[Any] | None = rewrite.values(index)
    if values is None or values.dtype != np.float32 or np.abs(values).max() > _LARGEST:
        return None
    return values.astype(np.float16)


def _store(rewrite: Rewrite, index: int, values: NDArray[np.float16]) -> int:
    """Add the constant and the operator that turns it back; returns the tensor it makes."""
    tensor = rewrite.graph.tensors[index]
    name = tensor.name.decode()
    half = rewrite.add_tensor(name, tensor.shape, "float16", values=values)
    made = rewrite.add_tensor(f"{name}_float32", tensor.shape, "float32")
    rewrite.graph.operators.append(
        rewrite.operator("DEQUANTIZE", _DEQUANTIZE_VERSION, [half], [made])
    )
    return made
