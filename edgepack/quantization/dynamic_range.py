"""Dynamic-range quantization: INT8 weights; ranges of activations are computed at runtime.

As ``TFLiteConverter`` does with ``Optimize.DEFAULT`` and no representative dataset, but for any
float file, with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.rewrite import Rewrite, quantization

_MIN_WEIGHTS = 1024  # the converter's own limit, below which there is no gain in speed and size
_LARGEST = 127
_SMALLEST_MAGNITUDE = _LARGEST * float(np.finfo(np.float32).tiny)
_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}  # of the output channels
_VERSIONS = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}
_PER_TENSOR_VERSION = 9  # of FULLY_CONNECTED
"""The first versions with float activations and int8 weights: per channel, the last per tensor.

From tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""


def quantize_weights(
    float_tflite: bytes, is_selected: Callable[[str], bool], *, per_tensor_dense: bool
) -> bytes:
    """Store the weights of convolutions and dense layers of a float .tflite in int8.

    ``is_selected`` is called with the name of an operator's first output. Layers with fewer than
    1,024 weights and other operators stay in float. ``per_tensor_dense`` uses one scale for the
    weights of a dense layer instead of one per output.
    """
    rewrite = Rewrite(float_tflite)
    tensors = rewrite.graph.tensors
    for operator in rewrite.graph.operators:
        name = rewrite.name(operator)
        if name not in _AXES or not is_selected(tensors[operator.outputs[0]].name.decode()):
            continue
        weights = rewrite.values(operator.inputs[1])
        if weights is None or weights.dtype != np.float32 or weights.size < _MIN_WEIGHTS:
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
    # Smaller magnitudes count as 0: their scale would be subnormal, without full precision.
    magnitudes = np.where(largest > _SMALLEST_MAGNITUDE, largest, 1)
    scales = (magnitudes / np.float32(_LARGEST)).astype(np.float32)
    values = np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST).astype(np.int8)
    scale = scales.reshape(-1)
    return rewrite.add_tensor(
        tensor.name.decode(),
        tensor.shape,
        "int8",
        quantization=quantization(scale, [0] * len(scale), axis=axis),
        values=values,
    )
