"""Dynamic range: INT8 weights; the ranges of activations are found while the model runs.

What ``TFLiteConverter`` does with ``Optimize.DEFAULT`` and no representative dataset, for any
float file and with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.rewrite import Rewrite, quantization

_FEWEST = 1024  # weights: the converter's own limit, below which speed and size gain nothing
_LARGEST = 127
_NEXT_TO_0 = _LARGEST * np.finfo(np.float32).tiny
_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}  # of the output channels
_VERSIONS = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}
_PER_TENSOR_VERSION = 9  # of FULLY_CONNECTED
"""The first versions that take float activations and weights in int8, by channel but for the last.

From tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""


def quantize_weights(
    float_tflite: bytes, chosen: Callable[[str], bool], *, per_tensor_dense: bool
) -> bytes:
    """Store the weights of a float .tflite in int8, where there are 1,024 or more.

    ``chosen`` tells by the name of an operator's first output. Convolutions and dense layers
    compute with them; other operators stay in float.
    """
    rewrite = Rewrite(float_tflite)
    tensors = rewrite.graph.tensors
    for operator in rewrite.graph.operators:
        name = rewrite.name(operator)
        if name not in _AXES or not chosen(tensors[operator.outputs[0]].name.decode()):
            continue
        weights = rewrite.values(operator.inputs[1])
        if weights is None or weights.dtype != np.float32 or weights.size < _FEWEST:
            continue
        axis: int | None = _AXES[name]
        version = _VERSIONS[name]
        if name == "FULLY_CONNECTED":
            operator.builtinOptions.asymmetricQuantizeInputs = True
            if per_tensor_dense:
                axis, version = None, _PER_TENSOR_VERSION
        inputs = list(operator.inputs)
        inputs[1] = _store(rewrite, tensors[inputs[1]], weights, axis)
        operator.inputs = inputs
        operator.opcodeIndex = rewrite.operator_code(name, version)
    rewrite.drop_unused()
    return rewrite.to_bytes()


def _store(rewrite: Rewrite, tensor: Any, weights: NDArray[Any], axis: int | None) -> int:
    others = None if axis is None else tuple(each for each in range(weights.ndim) if each != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    # What is next to 0 counts as 0: its scale would have no precision left.
    scales = (np.where(largest > _NEXT_TO_0, largest, 1) / np.float32(_LARGEST)).astype(np.float32)
    values = np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST).astype(np.int8)
    scale = scales.reshape(-1)
    return rewrite.add_tensor(
        tensor.name.decode(),
        tensor.shape,
        "int8",
        quantization=quantization(scale, [0] * len(scale), axis=axis),
        values=values,
    )
