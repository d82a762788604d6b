"""Multiply-accumulates of an operator, from the shapes of its inputs and outputs.

Counted as in the loops of the reference kernels (tensorflow/lite/kernels/internal/reference),
except that positions in the padding are counted too. Adding biases, activation functions, and
operators that do not sum products, such as ADD, MUL and pooling, have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.operator_calls import OperatorCall

STEPPED: Mapping[str, tuple[int, ...]] = {
    "LSTM": (*range(1, 12), 16),
    "RNN": (1, 2),
    "SVDF": (1, 2),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 12), 16),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 2),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 12), 16, *range(18, 29), 33, *range(40, 48)),
    "BIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 5, 6, 10, 11),
}
"""By recurrent operator, the inputs that are weights, each used once per step of a sequence.

For an LSTM these are the matrices of the gates, the peepholes and the projection.
"""

_BASIC_LSTM_INPUTS = 5
"""The number of inputs of an LSTM whose gates share a matrix, its third input."""


def macs(call: OperatorCall) -> int | None:
    """Return the number of multiply-accumulates of an operator.

    0 if it sums no products, such as control flow, which has none of its own; None if the number
    is not known: for custom operators, for those of StableHLO, and if the tensors do not match the
    operator.
    """
    operator = call.operator
    if operator.is_custom or operator.name.startswith("STABLEHLO_"):
        return None
    try:
        if operator.name in STEPPED:
            return _recurrent(call)
        return _FORMULAS[operator.name](call) if operator.name in _FORMULAS else 0
    except (IndexError, ValueError):  # too few inputs or dimensions
        return None


def model_macs(model: Model) -> int:
    """Return the known multiply-accumulates of a model, with every graph run once."""
    return sum(
        macs(OperatorCall.of(graph, operator)) or 0
        for graph in model.subgraphs
        for operator in graph.operators
    )


def _convolution(call: OperatorCall) -> int:
    """Each output is a window of the input times weights of shape (out, height, width, in).

    In grouped convolutions ``in`` are the input channels of a group.
    """
    _, height, width, channels = _shape(call, 1)
    return prod(call.outputs[0].shape) * height * width * channels


def _depthwise(call: OperatorCall) -> int:
    """Each output is a window of one channel; weights have the shape (1, height, width, out)."""
    _, height, width, _ = _shape(call, 1)
    return prod(call.outputs[0].shape) * height * width


def _dense(call: OperatorCall) -> int:
    """Each output is the input times a row of weights of shape (out, in)."""
    _, features = _shape(call, 1)
    return prod(call.outputs[0].shape) * features


def _transposed(call: OperatorCall) -> int:
    """Each input value contributes to a window in each output channel.

    The inputs are the output's shape, weights of shape (out, height, width, in) and the data.
    """
    channels, height, width, _ = _shape(call, 1)
    return prod(_shape(call, 2)) * channels * height * width


def _convolution_3d(call: OperatorCall) -> int:
    """Each output is a window of the input times weights (depth, height, width, in, out)."""
    depth, height, width, channels, _ = _shape(call, 1)
    return prod(call.outputs[0].shape) * depth * height * width * channels


def _transposed_3d(call: OperatorCall) -> int:
    """As in two dimensions, with weights of shape (depth, height, width, out, in)."""
    depth, height, width, channels, _ = _shape(call, 1)
    return prod(_shape(call, 2)) * depth * height * width * channels


def _matrix_product(call: OperatorCall) -> int:
    """Each output is a row of the left matrix, transposed with ``adj_x``, times a column."""
    return prod(call.outputs[0].shape) * _shape(call, 0)[-2 if call.has("adj_x") else -1]


def _recurrent(call: OperatorCall) -> int:
    """Each weight is used once per step; the input has batch and time first, in either order."""
    is_basic = call.operator.name == "LSTM" and len(call.inputs) == _BASIC_LSTM_INPUTS
    positions = (2,) if is_basic else STEPPED[call.operator.name]
    weights = filter(None, map(call.input, positions))
    return prod(_shape(call, 0)[:-1]) * sum(prod(weight.shape) for weight in weights)


def _shape(call: OperatorCall, index: int) -> tuple[int, ...]:
    tensor: Tensor | None = call.inputs[index]
    return tensor.shape if tensor else ()


_FORMULAS: Mapping[str, Callable[[OperatorCall], int]] = {
    "BATCH_MATMUL": _matrix_product,
    "CONV_2D": _convolution,
    "CONV_3D": _convolution_3d,
    "CONV_3D_TRANSPOSE": _transposed_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _transposed,
}
