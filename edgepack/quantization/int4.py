"""INT4 weights with INT8 activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.quantization.real_constants import RealValues, is_integer
from edgepack.tflite.nibbles import pack
from edgepack.tflite.rewrite import Rewrite, quantization

VERSIONS = {"CONV_2D": 7, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 10}
"""The operators with kernels for int4 weights, and the first version that has them.

From tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc. Older kernels would read the
weights as int8; the version prevents that.
"""

_MIN_RANGE, _CANDIDATES = 0.4, 25  # of the full range; number of ranges compared
_BIAS = 2  # its index among the inputs
_LARGEST_BIAS = 2**26  # XNNPACK multiplies sums by 16, and products are added to it in int32
_LARGEST = 7  # of -8..7: symmetric, so that a weight and its negative have the same magnitude


def to_int4(
    int8_tflite: bytes,
    float_tflite: bytes,
    is_selected: Callable[[str], bool],
    *,
    per_tensor_dense: bool,
    packed: bool = True,
) -> bytes:
    """Quantize the weights of an INT8 file's operators to 4 bits, -7..7, along the same channels.

    ``is_selected`` is called with the name of an operator's first output; operators without int4
    kernels stay in int8. Weights and biases are quantized again from ``float_tflite``.
    ``per_tensor_dense`` uses one scale for the weights of a dense layer. ``packed`` False stores
    each weight in a byte: the same numbers for interpreters without int4.
    """
    rewrite = Rewrite(int8_tflite)
    real = RealValues(float_tflite)
    for operator in rewrite.graph.operators:
        name = rewrite.name(operator)
        if (
            name in VERSIONS
            and is_integer(rewrite, operator.inputs[0])
            and rewrite.values(operator.inputs[1]) is not None
            and is_selected(rewrite.graph.tensors[operator.outputs[0]].name.decode())
        ):
            per_tensor = per_tensor_dense and name == "FULLY_CONNECTED"
            inputs = list(operator.inputs)
            inputs[1] = _weights(rewrite, inputs, real, per_tensor=per_tensor, packed=packed)
            if len(inputs) > _BIAS and inputs[_BIAS] >= 0:
                inputs[_BIAS] = _bias(rewrite, inputs, real)
            operator.inputs = inputs
            if packed:
                version = rewrite.model.operatorCodes[operator.opcodeIndex].version
                operator.opcodeIndex = rewrite.operator_code(name, max(version, VERSIONS[name]))
    rewrite.drop_unused()
    return rewrite.to_bytes()


def best_scales(weights: NDArray[Any], axes: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Return the scales with the least squared error, summed over ``axes``; all axes if None.

    With so few levels it helps to clip the largest weights: 25 ranges are compared, from the full
    range down to 0.4 of it. The result keeps the summed axes with size 1.
    """
    largest = np.abs(weights).max(axis=axes, keepdims=True)
    full = np.where(largest > 0, largest, 1) / _LARGEST
    best: NDArray[np.float32] = full.astype(np.float32)
    least_error = np.full(full.shape, np.inf)
    for fraction in np.linspace(1, _MIN_RANGE, _CANDIDATES):
        scales = (full * fraction).astype(np.float32)
        error = np.square(_round(weights, scales) * scales - weights).sum(axis=axes, keepdims=True)
        best = np.where(error < least_error, scales, best)
        least_error = np.minimum(error, least_error)
    return best


def _round(weights: NDArray[Any], scales: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST))


def _weights(
    rewrite: Rewrite, inputs: Sequence[int], real: RealValues, *, per_tensor: bool, packed: bool
) -> int:
    old = rewrite.graph.tensors[inputs[1]]
    weights = real.of(rewrite, inputs[1])
    axis = old.quantization.quantizedDimension
    if per_tensor or len(old.quantization.scale) == 1:
        others = None
    else:
        others = tuple(each for each in range(weights.ndim) if each != axis)
    scales = best_scales(weights, others)
    scales = np.maximum(scales, _smallest_scales(rewrite, inputs, real, scales))
    values = _round(weights, scales).astype(np.int8)
    scale = scales.reshape(-1)
    return rewrite.add_tensor(
        old.name.decode(),
        old.shape,
        "int4" if packed else "int8",
        quantization=quantization(scale, [0] * len(scale), axis=axis),
        values=pack(values) if packed else values,
    )


def _smallest_scales(
    rewrite: Rewrite, inputs: Sequence[int], real: RealValues, scales: NDArray[Any]
) -> NDArray[np.float32]:
    """Return the weight scales, of the shape of ``scales``, below which biases overflow int32.

    Weights that are so small next to their bias do not show in the output.
    """
    if len(inputs) <= _BIAS or inputs[_BIAS] < 0:
        return np.zeros_like(scales, np.float32)
    bias = np.abs(real.of(rewrite, inputs[_BIAS]))
    step = rewrite.graph.tensors[inputs[0]].quantization.scale[0]
    largest = bias if scales.size > 1 else bias.max()
    smallest: NDArray[np.float32] = (largest / step / _LARGEST_BIAS).astype(np.float32)
    return smallest.reshape(scales.shape)


def _bias(rewrite: Rewrite, inputs: Sequence[int], real: RealValues) -> int:
    """Add the bias in int32, ``round(bias / (input scale * weight scale))``."""
    tensors = rewrite.graph.tensors
    activation, weights, bias = (tensors[index] for index in inputs[: _BIAS + 1])
    scale = weights.quantization.scale.astype(np.float64) * activation.quantization.scale[0]
    values = np.rint(real.of(rewrite, inputs[_BIAS]) / scale)
    return rewrite.add_tensor(
        bias.name.decode(),
        bias.shape,
        "int32",
        quantization=quantization(scale, [0] * len(scale), axis=0),
        values=np.clip(values, -_LARGEST_BIAS, _LARGEST_BIAS).astype(np.int32),
    )
