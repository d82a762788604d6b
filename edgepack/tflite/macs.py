"""Multiply-accumulates of an operator, from the shapes of what it takes and gives.

As the reference kernels' loops run (tensorflow/lite/kernels/internal/reference), but that what
padding adds or cuts off is counted too. Additions of biases, activation functions, and operators
that do not sum products, such as ADD, MUL and pooling, are no multiply-accumulates.
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
"""Operators that use each of their weights once for a step of a sequence: which inputs these are.

Of an LSTM the matrices of the gates, the peepholes and the projection.
"""

_BASIC_LSTM = 5
"""So many inputs has the LSTM whose gates share a matrix, which is its third."""


def macs(use: OperatorCall) -> int | None:
    """Count the multiply-accumulates of an operator.

    0 of one that sums no products; None where they cannot be told: of custom operators, of those
    of StableHLO, and where the tensors are not those that the operator should have. An operator
    that runs other graphs has none of its own.
    """
    operator = use.operator
    if operator.is_custom or operator.name.startswith("STABLEHLO_"):
        return None
    try:
        if operator.name in STEPPED:
            return _stepped(use)
        return _FORMULAS[operator.name](use) if operator.name in _FORMULAS else 0
    except (IndexError, ValueError):  # too few inputs or dimensions
        return None


def model_macs(model: Model) -> int:
    """Count those of a model's operators that can be told, of every graph, each run once."""
    return sum(
        macs(OperatorCall.of(graph, operator)) or 0
        for graph in model.subgraphs
        for operator in graph.operators
    )


def _convolution(use: OperatorCall) -> int:
    """Each output is a window of the weights (out, height, width, in) times the input.

    Grouped convolutions have the input channels of a group there.
    """
    _, height, width, channels = _shape(use, 1)
    return prod(use.outputs[0].shape) * height * width * channels


def _depthwise(use: OperatorCall) -> int:
    """Each output is a window of one channel; the weights are (1, height, width, out)."""
    _, height, width, _ = _shape(use, 1)
    return prod(use.outputs[0].shape) * height * width


def _dense(use: OperatorCall) -> int:
    """Each output is a row of the weights (out, in) times the input."""
    _, taken = _shape(use, 1)
    return prod(use.outputs[0].shape) * taken


def _transposed(use: OperatorCall) -> int:
    """Each input value is spread over a window for each output channel.

    Inputs: the output's shape, weights (out, height, width, in), the input.
    """
    given, height, width, _ = _shape(use, 1)
    return prod(_shape(use, 2)) * given * height * width


def _convolution_3d(use: OperatorCall) -> int:
    """Each output is a window of the weights (depth, height, width, in, out) times the input."""
    depth, height, width, channels, _ = _shape(use, 1)
    return prod(use.outputs[0].shape) * depth * height * width * channels


def _transposed_3d(use: OperatorCall) -> int:
    """As in two dimensions; weights (depth, height, width, out, in)."""
    depth, height, width, given, _ = _shape(use, 1)
    return prod(_shape(use, 2)) * depth * height * width * given


def _matrix_product(use: OperatorCall) -> int:
    """Each output is a row of the left matrix, transposed if ``adj_x``, times a column."""
    return prod(use.outputs[0].shape) * _shape(use, 0)[-2 if use.has("adj_x") else -1]


def _stepped(use: OperatorCall) -> int:
    """Each weight is used once for a step; the input is (batch and time in either order, in)."""
    is_basic = use.operator.name == "LSTM" and len(use.inputs) == _BASIC_LSTM
    places = (2,) if is_basic else STEPPED[use.operator.name]
    weights = filter(None, map(use.input, places))
    return prod(_shape(use, 0)[:-1]) * sum(prod(weight.shape) for weight in weights)


def _shape(use: OperatorCall, place: int) -> tuple[int, ...]:
    tensor: Tensor | None = use.inputs[place]
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
