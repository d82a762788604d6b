"""The operators that LiteRT's GPU delegate supports, and what it requires of their inputs.

Taken from ``tflite/delegates/gpu/common/model_builder.cc`` and
``tflite/tools/versioning/gpu_compatibility.cc`` of LiteRT 2.
"""

from __future__ import annotations

_UNARY = frozenset(
    (
        *("ABS", "COS", "ELU", "EXP", "FLOOR", "GELU", "LOG", "LOGISTIC", "NEG", "RSQRT", "SIGN"),
        *("SIN", "SQRT", "SQUARE", "TANH"),
    )
)
COMPARISONS = frozenset(("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"))
BINARY = frozenset(
    (
        *("ADD", "ADD_N", "DIV", "FLOOR_DIV", "FLOOR_MOD", "LOGICAL_AND", "MAXIMUM", "MINIMUM"),
        *("MUL", "POW", "SQUARED_DIFFERENCE", "SUB"),
    )
)
PADS = frozenset(("MIRROR_PAD", "PAD", "PADV2"))
REDUCTIONS = frozenset(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"))
SELECTS = frozenset(("SELECT", "SELECT_V2"))
SLICES = frozenset(("SLICE", "STRIDED_SLICE"))

_ANY_VERSION = 1 << 30
NEWEST_VERSION = {
    **dict.fromkeys(_UNARY | BINARY | COMPARISONS | PADS, 2),
    **dict.fromkeys(("AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D", "QUANTIZE"), 2),
    **dict.fromkeys(("LEAKY_RELU", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1"), 2),
    **dict.fromkeys(("SLICE", "SOFTMAX", "SPACE_TO_DEPTH"), 2),
    **dict.fromkeys(("CUMSUM", "DENSIFY", "GATHER", "ONE_HOT", "PRELU", "RESHAPE"), 1),
    **dict.fromkeys(SELECTS, 1),
    **dict.fromkeys(("DEQUANTIZE", "MUL", "TRANSPOSE_CONV"), 3),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), 3),
    **dict.fromkeys(("LSTM", "STRIDED_SLICE", "TRANSPOSE"), 4),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), 6),
    "FULLY_CONNECTED": 9,
    **dict.fromkeys(REDUCTIONS, _ANY_VERSION),
    **dict.fromkeys(("BATCH_MATMUL", "CAST", "DEPTH_TO_SPACE", "HARD_SWISH"), _ANY_VERSION),
    **dict.fromkeys(("PACK", "SPLIT", "SPLIT_V", "TILE", "UNPACK"), _ANY_VERSION),
    **dict.fromkeys(("Convolution2DTransposeBias", "MaxPoolingWithArgmax2D"), _ANY_VERSION),
    **dict.fromkeys(("MaxUnpooling2D", "Resampler"), _ANY_VERSION),
}
"""By supported operator, the newest supported version."""

ONE_COMPUTED_INPUT = _UNARY | PADS | REDUCTIONS
ONE_COMPUTED_INPUT |= {"AVERAGE_POOL_2D", "CAST", "DEPTH_TO_SPACE", "HARD_SWISH", "MAX_POOL_2D"}
ONE_COMPUTED_INPUT |= {"QUANTIZE", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"}
ONE_COMPUTED_INPUT |= {"SPACE_TO_DEPTH", "TILE", "TRANSPOSE"}
UP_TO_TWO_COMPUTED_INPUTS = {
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "GATHER",
}
UP_TO_TWO_COMPUTED_INPUTS |= {"TRANSPOSE_CONV"}

FLOATS = {"float16", "float32"}
EIGHT_BIT = {"int8", "uint8"}
_BOOL, _INT32 = frozenset({"bool"}), frozenset({"int32"})
INPUT_DTYPES = {
    "CAST": _BOOL | _INT32,
    **dict.fromkeys(("GATHER", "ONE_HOT"), _INT32),
    **dict.fromkeys(("LOGICAL_AND", *SELECTS), _BOOL),
}
OUTPUT_DTYPES = {
    "CAST": _BOOL | _INT32,
    **dict.fromkeys(("LOGICAL_AND", *COMPARISONS), _BOOL),
}
"""By operator, the dtypes of inputs and outputs that it supports besides float and 8-bit ones."""

CONSTANT_DTYPES = FLOATS | EIGHT_BIT | {"bool", "int16", "int32"}
