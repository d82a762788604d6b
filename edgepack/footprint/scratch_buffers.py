"""Scratch buffers that kernels request, computed from the shapes of inputs and outputs.

Those of CMSIS-NN follow its ``*_get_buffer_size`` functions (version 7, compiled with GCC or
Clang); the Arm Compiler needs 4 bytes more for each input channel of a pointwise convolution.
Strides and dilations are not needed: where they matter, the larger buffer counts.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from edgepack.footprint.planner import ScratchBuffer
from edgepack.footprint.structs import align
from edgepack.tflite.graph import Graph, Model, Operator, Tensor

REFERENCE, CMSIS_NN, CMSIS_NN_DSP, CMSIS_NN_MVE, ESP_NN, ESP_NN_S3 = KERNELS = (
    "reference",
    "cmsis-nn",
    "cmsis-nn-dsp",
    "cmsis-nn-mve",
    "esp-nn",
    "esp-nn-s3",
)
"""The kernels that TFLM can be built with. ``cmsis-nn`` is for processors without the DSP extension
(Cortex-M0+, M3), ``cmsis-nn-dsp`` for those with it (M4, M7, M33), ``cmsis-nn-mve`` for those with
Helium (M55, M85); ``esp-nn`` is ESP-NN in plain C (ESP32, ESP32-C3), ``esp-nn-s3`` with the vector
instructions of the ESP32-S3."""

_MVE_CHANNELS = 124  # CH_IN_BLOCK_MVE
_FAST_WINDOW = 3  # depthwise kernels of 3 x 3 need no buffer without Helium
_POINTWISE = (1, 1)
_ESP_VECTOR = 16


def scratch_buffers(model: Model, kernels: str) -> list[ScratchBuffer]:
    """Return the scratch buffers of all operators, in the order in which TFLM plans them."""
    return [
        ScratchBuffer(graph=number, operator=index, size=size)
        for number, graph in enumerate(model.subgraphs)
        for index, operator in enumerate(graph.operators)
        for size in _sizes(graph, operator, kernels)
    ]


def _sizes(graph: Graph, operator: Operator, kernels: str) -> list[int]:
    optimized = {REFERENCE: {}, ESP_NN: _ESP_NN, ESP_NN_S3: _ESP_NN_S3}.get(kernels, _CMSIS_NN)
    if operator.name not in optimized | _REFERENCE:
        return []
    inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
    output = graph.tensors[operator.outputs[0]]
    if operator.name in optimized and output.dtype in ("int8", "int16"):
        return optimized[operator.name](inputs, output, kernels)
    return _REFERENCE[operator.name](inputs, output) if operator.name in _REFERENCE else []


def _unpacked(inputs: list[Tensor], _: Tensor) -> list[int]:
    """Reference kernels unpack int4 weights to one byte each."""
    weights = inputs[1]
    return [prod(weights.shape)] if weights.dtype == "int4" else []


def _reduced(inputs: list[Tensor], output: Tensor) -> list[int]:
    """MEAN and SUM: the position in the input, the axes, and for integers the sums."""
    sums = [4 * prod(output.shape)] if inputs[0].dtype in ("int8", "int16") else []
    return [4 * len(inputs[0].shape), 4 * prod(inputs[1].shape), *sums]


def _extreme(inputs: list[Tensor], _: Tensor) -> list[int]:
    return [4 * len(inputs[0].shape), 4 * prod(inputs[1].shape)]


def _transposed(inputs: list[Tensor], output: Tensor) -> list[int]:
    """TRANSPOSE_CONV accumulates in 32 bits, int16 in 64 bits, and widens int16 biases."""
    values = inputs[2].dtype
    if values == "int8":
        return [4 * prod(output.shape)]
    widened = [8 * prod(bias.shape) for bias in inputs[3:4] if bias.dtype == "int16"]
    return [8 * prod(output.shape), *widened] if values == "int16" else []


def _svdf(inputs: list[Tensor], output: Tensor) -> list[int]:
    batch, filters = inputs[0].shape[0], inputs[1].shape[0]
    sums = [4 * prod(output.shape)] if inputs[0].dtype == "int8" else []
    return [4 * batch * filters, *sums]


def _lstm(inputs: list[Tensor], output: Tensor) -> list[int]:
    """Four gates of a step, each as large as the cell's state."""
    state = inputs[-1] if inputs[-1].shape else output
    width = 4 if inputs[0].dtype == "float32" else 2
    return [width * prod(state.shape)] * 4


_REFERENCE: dict[str, Callable[[list[Tensor], Tensor], list[int]]] = {
    "CONV_2D": _unpacked,
    "DEPTHWISE_CONV_2D": _unpacked,
    "FULLY_CONNECTED": _unpacked,
    "MEAN": _reduced,
    "REDUCE_ALL": _extreme,
    "REDUCE_MAX": _extreme,
    "REDUCE_MIN": _extreme,
    "SUM": _reduced,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transposed,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}


def _im2col(column: int, kernels: str, *, width: int) -> int:
    """Two columns of the input in 16 bits; with Helium four, aligned to registers of 16 bytes.

    ``column`` is the number of values, ``width`` the bytes of each.
    """
    if kernels == CMSIS_NN_MVE:
        return 4 * align(column * width, 16)
    return 4 * align(column, 4)


def _convolution(inputs: list[Tensor], _: Tensor, kernels: str) -> list[int]:
    values, weights = inputs[:2]
    if values.dtype == "int8" and weights.shape[1:3] == _POINTWISE:
        return []
    return [_im2col(prod(weights.shape[1:]), kernels, width=2 if values.dtype == "int16" else 1)]


def _depthwise(inputs: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    values, weights = inputs[:2]
    _, height, width, _ = weights.shape
    channels = values.shape[-1]
    if channels != output.shape[-1]:
        return []
    window = height * width
    if weights.dtype == "int4":
        return [2 * channels * window]
    if kernels == CMSIS_NN_MVE:
        wide = 8 * channels * window + 8  # int16
        return [wide if values.dtype == "int16" else 4 * _MVE_CHANNELS * window]
    is_fast = values.dtype == "int8" and (height, width) == (_FAST_WINDOW, _FAST_WINDOW)
    return [2 * channels * window] if kernels == CMSIS_NN_DSP and not is_fast else []


def _fully_connected(inputs: list[Tensor], output: Tensor, _: str) -> list[int]:
    """A 1 x 1 convolution expands a single scale of the weights to one per channel."""
    weights = inputs[1]
    per_channel = weights.quant is not None and len(weights.quant.scale) > 1
    if (
        inputs[0].dtype == weights.dtype == "int8"
        and not per_channel
        and is_convolution(weights, output)
    ):
        return [8 * output.shape[-1]]
    return []


def is_convolution(weights: Tensor, output: Tensor) -> bool:
    """Whether CMSIS-NN computes a FULLY_CONNECTED as a 1 x 1 convolution."""
    return len(output.shape) > 2 and weights.shape[-1] % 4 == 0  # noqa: PLR2004 (rows, columns)


def _pool(inputs: list[Tensor], _: Tensor, kernels: str) -> list[int]:
    return [4 * inputs[0].shape[-1]] if kernels == CMSIS_NN_DSP else []


def _batch_matmul(_: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    return [4 * output.shape[-1]] if kernels == CMSIS_NN_MVE else []


def _transposed_convolution(inputs: list[Tensor], output: Tensor, kernels: str) -> list[int]:
    """The larger of its two methods: rows of sums, or a convolution with reversed weights."""
    weights, values = inputs[1:3]
    if values.dtype != "int8":
        return _transposed(inputs, output)
    channels, height, width, depth = weights.shape
    strides = [-(-output.shape[axis] // values.shape[axis]) for axis in (1, 2)]
    row = (values.shape[2] - 1) * strides[1] + max(width, *strides)
    sums = 4 * row * channels * max(height, *strides)
    return [
        max(sums, _im2col(height * width * depth, kernels, width=1)),
        height * width * depth * channels,
    ]


_Sizes = Callable[[list[Tensor], Tensor, str], list[int]]

_CMSIS_NN: dict[str, _Sizes] = {
    "AVERAGE_POOL_2D": _pool,
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transposed_convolution,
}


def _esp_convolution(inputs: list[Tensor], output: Tensor, _: str) -> list[int]:
    """Weights and input, copied with the alignment that vector instructions require."""
    values, weights = inputs[:2]
    channels, height, width, depth = weights.shape
    pixels = prod(values.shape[1:3])
    if (height, width) == _POINTWISE and values.shape[1:3] == output.shape[1:3]:
        depth = align(depth, 8)
        copied = pixels * depth if depth != values.shape[-1] else 0
        return [copied + depth * channels + 16 * depth + 32]
    row = width * depth
    if row < _ESP_VECTOR <= row * height:
        return [4 * channels + (channels + 1) * align(row * height, 16) + 64]
    copied = align(row, 16) + width * align(depth, 16)
    return [
        copied * height * channels
        + 2 * _padded(values, weights, output) * depth
        + 4 * channels
        + 32
    ]


def _esp_depthwise(inputs: list[Tensor], output: Tensor, _: str) -> list[int]:
    """Weights and padded input; except for 3 x 3 windows in 16 bits, and with the output."""
    values, weights = inputs[:2]
    channels = values.shape[-1]
    window, pixels = prod(weights.shape[1:3]), _padded(values, weights, output)
    if weights.shape[1:3] == (3, 3) and channels == output.shape[-1] and channels % 16 == 0:
        return [channels * (window + pixels) + 16]
    depth = align(output.shape[-1], 16)
    return [depth * (2 * window + 2 * pixels + prod(output.shape[1:3]) + 12) + 96]


def _padded(values: Tensor, weights: Tensor, output: Tensor) -> int:
    """Return the number of pixels of an input, with all padding its window and stride may need."""
    return prod(
        values.shape[axis] + weights.shape[axis] + -(-values.shape[axis] // output.shape[axis])
        for axis in (1, 2)
    )


def _esp_softmax(inputs: list[Tensor], _: Tensor, __: str) -> list[int]:
    return [4 * inputs[0].shape[-1]]


_ESP_NN: dict[str, _Sizes] = {"SOFTMAX": _esp_softmax}
_ESP_NN_S3 = _ESP_NN | {"CONV_2D": _esp_convolution, "DEPTHWISE_CONV_2D": _esp_depthwise}
