"""INT4 weights with INT8 activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.quantize.constants import WEIGHTS_AND_BIAS, RealValues, is_integer
from edgepack.rewrite import Rewrite, quantization

VERSIONS = {"CONV_2D": 7, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 10}
"""The operators with kernels for int4 weights, and the version that has them.

From tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc. Earlier kernels would read the
weights as int8: the version keeps them away.
"""

_LARGEST = 7  # of -8..7: symmetric, so that a weight and its negative weigh the same


def narrow(
    int8_tflite: bytes, float_tflite: bytes, chosen: Callable[[str], bool], *, packed: bool = True
) -> bytes:
    """Give the weights of an INT8 file's operators 4 bits: -7..7, as fine as int8's were divided.

    ``chosen`` tells by the name of an operator's first output; operators without such kernels stay
    in int8. Weights and biases are made anew from ``float_tflite``. ``packed`` False keeps each
    weight in a byte, the same numbers for interpreters that know no int4.
    """
    rewrite = Rewrite(int8_tflite)
    real = RealValues(float_tflite)
    for operator in rewrite.graph.operators:
        name = rewrite.name(operator)
        if (
            name in VERSIONS
            and is_integer(rewrite, operator.inputs[0])
            and rewrite.values(operator.inputs[1]) is not None
            and chosen(rewrite.graph.tensors[operator.outputs[0]].name.decode())
        ):
            _narrow(rewrite, operator, name, real, packed=packed)
    rewrite.drop_unused()
    return rewrite.to_bytes()


def pack(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Put two numbers of 4 bits into a byte, the first into its lower half.

    >>> pack(np.array([1, -1, 7], np.int8)).tolist()
    [241, 7]
    """
    nibbles = values.reshape(-1).view(np.uint8) & 0x0F
    nibbles = np.append(nibbles, np.zeros(len(nibbles) % 2, np.uint8))
    return np.asarray(nibbles[0::2] | (nibbles[1::2] << 4), np.uint8)


def _narrow(rewrite: Rewrite, operator: Any, name: str, real: RealValues, *, packed: bool) -> None:
    tensors, (at, bias_at) = rewrite.graph.tensors, WEIGHTS_AND_BIAS[name]
    inputs = list(operator.inputs)
    old = tensors[inputs[at]]
    weights = real.of(rewrite, inputs[at])
    axis = old.quantization.quantizedDimension
    others = tuple(each for each in range(weights.ndim) if each != axis)
    per_channel = len(old.quantization.scale) > 1
    largest = np.abs(weights).max(axis=others if per_channel else None, keepdims=True)
    scales = np.where(largest > 0, largest, 1).astype(np.float32).astype(np.float64) / _LARGEST
    scales = scales.astype(np.float32).astype(np.float64)  # as the file holds them
    values = np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST).astype(np.int8)
    scale = scales.reshape(-1)
    inputs[at] = rewrite.add_tensor(
        old.name.decode(),
        old.shape,
        "int4" if packed else "int8",
        quantization=quantization(scale, [0] * len(scale), axis=axis),
        values=pack(values) if packed else values,
    )
    if bias_at < len(inputs) and inputs[bias_at] >= 0:
        bias, of_bias = tensors[inputs[bias_at]], scale * tensors[inputs[0]].quantization.scale[0]
        limit = np.iinfo(np.int32).max
        numbers = np.rint(real.of(rewrite, inputs[bias_at]) / of_bias)
        inputs[bias_at] = rewrite.add_tensor(
            bias.name.decode(),
            bias.shape,
            "int32",
            quantization=quantization(of_bias, [0] * len(scale), axis=0),
            values=np.clip(numbers, -limit, limit).astype(np.int32),
        )
    operator.inputs = inputs
    if packed:
        version = rewrite.model.operatorCodes[operator.opcodeIndex].version
        operator.opcodeIndex = rewrite.operator_code(name, max(version, VERSIONS[name]))
