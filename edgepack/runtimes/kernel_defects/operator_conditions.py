"""Conditions, interpreters, cures and phrases that several families of defects share."""

from __future__ import annotations

from collections.abc import Callable

from edgepack.runtimes import REFERENCE
from edgepack.tflite.operator_calls import OperatorCall

REFERENCE_KERNELS = {REFERENCE.name: None}
PHONES = dict.fromkeys(("litert", "tflite-runtime"))
"""Interpreters whose every release is affected."""

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")

QUANTIZE_TO_INT8 = "quantize to int8: edgepack quantize --scheme int8"
INT8_WEIGHTS = "keep weights in int8"
PER_TENSOR = "quantize with --dense per-tensor"

EACH_OUTPUT = "weights with one scale per output channel"
MORE_DIMENSIONS = "and an output of more than two dimensions"

_MATRIX = 2  # dimensions


def has_input_dtype(dtype: str) -> Callable[[OperatorCall], bool]:
    """Return the condition that any input has a dtype."""
    return lambda call: any(tensor.dtype == dtype for tensor in call.inputs if tensor)


def has_dtypes(activations: str, weights: str) -> Callable[[OperatorCall], bool]:
    """Return the condition that the first two inputs, activations and weights, have dtypes."""
    return lambda call: (call.dtype(), call.dtype(1)) == (activations, weights)


def is_per_channel(
    *activations: str, weights: str, matrix: bool = True
) -> Callable[[OperatorCall], bool]:
    """Return the condition that weights have one scale per output channel.

    The first input must have one of the dtypes ``activations``, the second the dtype ``weights``.
    Without ``matrix`` an output must have more than two dimensions.
    """
    return lambda call: (
        call.dtype() in activations
        and call.dtype(1) == weights
        and call.is_per_channel(1)
        and (matrix or any(len(tensor.shape) > _MATRIX for tensor in call.outputs))
    )
