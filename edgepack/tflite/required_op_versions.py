"""The version that an operator needs by its content, whatever version the file declares.

Interpreters compare an operator's version with the versions that their kernel supports. Files
written by ai-edge-quantizer declare version 1 throughout, so that an interpreter accepts operators
that its kernel does not support, and may compute them wrongly. The rules are those by which
TensorFlow's converter chooses versions
(tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc), and those that it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgepack.tflite.operator_calls import OperatorCall

_INT32_BIAS = 2  # TensorType INT32, which the option quantized_bias_type uses
_FOUR, _FIVE = 4, 5  # dimensions
_WITHOUT_BIAS = 2  # inputs


def needed_version(call: OperatorCall) -> int:
    """Return the version that an operator needs: the declared one, or by content if higher."""
    return max(call.operator.version, content_version(call))


def content_version(call: OperatorCall) -> int:
    """Return the version that an operator needs by its tensors and options; 1 for custom ones."""
    operator = call.operator
    if operator.is_custom:
        return 1
    by_dtype = _BY_DTYPE.get(operator.name, {}).get(call.dtype(_INPUT.get(operator.name, 0)), 1)
    by_rule = [version for version, holds in _RULES.get(operator.name, ()) if holds(call)]
    return max(by_dtype, *by_rule, 1)


def _same(versions: dict[str, int], operators: tuple[str, ...]) -> dict[str, dict[str, int]]:
    return dict.fromkeys(operators, versions)


_INT8, _INT8_16 = {"int8": 2}, {"int8": 2, "int16": 3}
_BY_DTYPE: Mapping[str, Mapping[str, int]] = {
    "ABS": {"int8": 2, "uint8": 2, "int16": 3, "int32": 5},
    "ADD": {"int8": 2, "int64": 4, "float16": 6},
    **_same({"int8": 2, "bool": 3}, ("ARG_MAX", "ARG_MIN")),
    **_same(_INT8_16, ("AVERAGE_POOL_2D", "MAX_POOL_2D")),
    "BATCH_MATMUL": _INT8_16,
    **_same({"int8": 2, "int16": 4}, ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND")),
    "BROADCAST_TO": {"int8": 3, "int16": 3},
    "CONCATENATION": {"int8": 2, "int16": 3, "uint32": 4, "int4": 5},
    "DEQUANTIZE": {"int8": 2, "int16": 3, "float16": 3, "int4": 6, "int2": 7, "uint4": 8},
    "EQUAL": {"int8": 2, "string": 3, "int16": 5},
    **_same({"int8": 2, "int16": 2}, ("EXP", "LOG", "REDUCE_PROD", "SQRT")),
    "FILL": {"bool": 2, "string": 2, "int8": 3, "int16": 3, "float16": 4},
    "FLOOR_DIV": {"float32": 2, "int8": 3, "int16": 3},
    "FLOOR_MOD": {"int8": 2, "int16": 2},
    "GATHER": {"int8": 2, "bool": 3, "int16": 4, "int4": 7},
    "GATHER_ND": {"string": 2, "int16": 3, "bool": 5},
    "GELU": {"int8": 2, "uint8": 2},
    **_same(_INT8_16, ("GREATER_EQUAL", "LESS")),
    "LEAKY_RELU": {"int16": 2},
    **_same(_INT8_16, ("LOGISTIC", "TANH")),
    **_same({"int8": 2, "int16": 4}, ("MAXIMUM", "MINIMUM")),
    "MUL": {"int8": 2, "int16": 4, "int64": 5, "complex64": 6, "uint32": 7, "float16": 8},
    "NOT_EQUAL": {"int8": 2, "string": 3, "int16": 4},
    "PACK": {"int8": 2, "int16": 3, "uint32": 4},
    **_same({"int8": 2, "int16": 3, "bool": 5}, ("PAD", "PADV2")),
    "RANGE": {"int64": 2},
    "RELU": {"int8": 2, "uint8": 2, "int16": 3},
    **_same(
        _INT8_16, ("MEAN", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN", "RELU6", "RSQRT", "SOFTMAX")
    ),
    **_same({"int8": 2, "int16": 4}, ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")),
    "REVERSE_V2": {"bool": 2, "int8": 3},
    "SELECT": {"int8": 2, "uint32": 4},
    "SELECT_V2": {"uint32": 2},
    "SIGN": {"int32": 2},
    "SLICE": {"int8": 2, "string": 3, "int16": 4, "uint32": 6, "int4": 7},
    **_same(
        _INT8,
        (
            *("DEPTH_TO_SPACE", "GREATER", "LESS_EQUAL", "LOG_SOFTMAX", "SPACE_TO_DEPTH"),
            *("SPLIT_V", "SQUARED_DIFFERENCE", "SUM"),
        ),
    ),
    "SPARSE_TO_DENSE": {"int64": 2, "int8": 3, "uint8": 3},
    "SPLIT": {"int8": 2, "int32": 3, "int16": 4},
    "SQUEEZE": {"string": 2},
    "STRIDED_SLICE": {"int8": 2, "bool": 3, "string": 5, "uint32": 7},
    "SUB": {"int8": 2, "int64": 4},
    "SVDF": {"int8": 3},
    "TILE": {"string": 2, "int8": 3},
    "TOPK_V2": _INT8_16,
    "TRANSPOSE": {"int8": 2, "bool": 3, "int16": 5, "int4": 7, "bfloat16": 8},
    "TRANSPOSE_CONV": {"int8": 2},
    "UNPACK": {"int8": 2, "uint8": 2, "bool": 3, "int16": 4, "float16": 5, "bfloat16": 5},
}
"""By operator, the version for each dtype of an input: the first, or that in :data:`_INPUT`."""

_INPUT = {"FILL": 1, "SPARSE_TO_DENSE": 2, "SPLIT": 1, "TRANSPOSE_CONV": 1}

_Rules = tuple[tuple[int, Callable[[OperatorCall], bool]], ...]


def _above(dimensions: int) -> Callable[[OperatorCall], bool]:
    return lambda call: call.dimensions() > dimensions


def _broadcasts_above_4(call: OperatorCall) -> bool:
    first, second = call.input(0), call.input(1)
    shapes = [tensor.shape for tensor in (first, second) if tensor]
    return len(set(shapes)) > 1 and max(map(len, shapes)) > _FOUR


def _raw(dtype: str) -> Callable[[OperatorCall], bool]:
    """Return the condition that the first input has a dtype and no scale."""
    return lambda call: call.dtype() == dtype and not call.is_quantized(0)


def _hybrid(weights: int, plain: int, asymmetric: int) -> _Rules:
    """Return the versions of a recurrent layer for int8 weights with float activations.

    ``weights`` is the index of the weights among the inputs; ``plain`` and ``asymmetric`` are the
    versions without and with the option asymmetric_quantize_inputs.
    """
    return (
        (plain, lambda call: call.is_hybrid(weights)),
        (
            asymmetric,
            lambda call: call.is_hybrid(weights) and call.has("asymmetric_quantize_inputs"),
        ),
    )


def _rescales_by_1_or_more(call: OperatorCall) -> bool:
    tensors = [call.input(0), call.input(1), *call.outputs[:1]]
    scales = [tensor.quant.scale[0] for tensor in tensors if tensor and tensor.quant]
    return len(scales) == len(tensors) and bool(scales[2]) and scales[0] * scales[1] >= scales[2]


def _has_int32_bias(call: OperatorCall) -> bool:
    return (
        call.dtype() == "int16" and call.operator.options.get("quantized_bias_type") == _INT32_BIAS
    )


def _is_grouped(call: OperatorCall) -> bool:
    data, weights = call.input(0), call.input(1)
    channels = [tensor.shape[-1] for tensor in (data, weights) if tensor and tensor.shape]
    return len(set(channels)) > 1


def _is_asymmetric_dense(call: OperatorCall) -> bool:
    # The converter requires this version only if none of the other features is present.
    return (
        call.is_hybrid()
        and call.has("asymmetric_quantize_inputs")
        and not call.has("keep_num_dims")
        and len(call.inputs) > _WITHOUT_BIAS
    )


def _casts(dtype: str) -> Callable[[OperatorCall], bool]:
    return lambda call: dtype in (call.dtype(), call.output_dtype)


_CAST = {"uint32": 2, "int8": 3, "uint16": 4, "float16": 5, "float64": 5, "bfloat16": 7}
_RULES: Mapping[str, _Rules] = {
    "ABS": ((4, _raw("int16")),),
    "ADD": (
        (3, lambda call: call.dtype() == "int16" and not call.has("pot_scale_int16")),
        (5, _raw("int16")),
    ),
    "BATCH_MATMUL": (
        (4, lambda call: call.is_hybrid() and call.has("asymmetric_quantize_inputs")),
    ),
    **dict.fromkeys(
        ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"), ((3, lambda call: call.dimensions() != _FOUR),)
    ),
    "BIDIRECTIONAL_SEQUENCE_LSTM": _hybrid(1, 2, 3),
    "BIDIRECTIONAL_SEQUENCE_RNN": _hybrid(1, 2, 3),
    "BROADCAST_TO": ((2, lambda _: True),),
    "CAST": (
        *((version, _casts(dtype)) for dtype, version in _CAST.items()),
        (6, lambda call: call.dtype() == "int4" and call.output_dtype == "float32"),
        (8, lambda call: not {"int2", "uint4"}.isdisjoint((call.dtype(), call.output_dtype))),
    ),
    "CONV_2D": (
        (2, lambda call: call.is_hybrid()),
        (3, lambda call: call.dtype() == call.dtype(1) == "int8"),
        (5, lambda call: call.is_hybrid() and call.is_per_channel(1)),
        (6, _is_grouped),
        (7, lambda call: call.dtype() == "int8" and call.dtype(1) == "int4"),
        (8, _has_int32_bias),
    ),
    "DEPTHWISE_CONV_2D": (
        (
            2,
            lambda call: any(
                call.operator.options.get(f"dilation_{d}_factor", 1) > 1 for d in "wh"
            ),
        ),
        (3, lambda call: call.dtype() == call.dtype(1) == "int8"),
        (4, lambda call: call.is_hybrid()),
        (6, lambda call: call.is_hybrid() and call.is_per_channel(1)),
        (7, lambda call: call.dtype() == "int8" and call.dtype(1) == "int4"),
    ),
    "DEQUANTIZE": ((5, lambda call: call.dtype() == "int8" and call.is_per_channel(0)),),
    "DIV": ((2, _broadcasts_above_4),),
    "DYNAMIC_UPDATE_SLICE": ((2, lambda call: call.dtype(2) == "int64"),),
    "EMBEDDING_LOOKUP": (
        (4, lambda call: call.dtype(1) == "int4" or call.is_per_channel(1)),
        (5, lambda call: call.dtype(1) == "int2"),
    ),
    "FAKE_QUANT": ((2, lambda call: call.has("narrow_range")),),
    "FULLY_CONNECTED": (
        (2, lambda call: call.has("weights_format")),
        (3, lambda call: call.is_hybrid()),
        (4, lambda call: call.dtype() == call.dtype(1) == "int8"),
        (5, lambda call: call.has("keep_num_dims")),
        (6, lambda call: len(call.inputs) == _WITHOUT_BIAS),
        (8, lambda call: (weights := call.input(1)) is not None and weights.is_sparse),
        (9, _is_asymmetric_dense),
        (10, lambda call: call.dtype() == "int8" and call.dtype(1) == "int4"),
        (11, _has_int32_bias),
        (12, lambda call: call.is_hybrid() and call.is_per_channel(1)),
        (13, lambda call: call.dtype() == "int16" and call.dtype(1) == "int4"),
        (14, lambda call: call.dtype(1) == "int2"),
    ),
    "GATHER": (
        (5, lambda call: call.has("batch_dims")),
        (6, lambda call: call.dtype(1) == "int16"),
    ),
    "GATHER_ND": ((4, lambda call: call.dtype(1) == "int16"),),
    "L2_NORMALIZATION": ((2, lambda call: call.output_dtype == "int8"),),
    "LSTM": (
        (2, lambda call: call.has("kernel_type")),
        *_hybrid(2, 3, 4),
        (5, lambda call: call.dtype() == call.output_dtype == "int16" and call.dtype(2) == "int8"),
    ),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), ((3, _broadcasts_above_4),)),
    "MUL": ((3, _rescales_by_1_or_more), (7, _raw("int16"))),
    **dict.fromkeys(("PAD", "PADV2"), ((4, _above(4)),)),
    "QUANTIZE": (
        (2, lambda call: call.output_dtype == "int16"),
        (3, lambda call: any(out.quant and out.quant.axis is not None for out in call.outputs)),
        (4, lambda call: "int4" in (call.dtype(), call.output_dtype)),
        (5, lambda call: "uint4" in (call.dtype(), call.output_dtype)),
    ),
    "RESIZE_BILINEAR": ((3, lambda call: call.has("half_pixel_centers")),),
    "RESIZE_NEAREST_NEIGHBOR": (
        (3, lambda call: call.has("half_pixel_centers") or call.has("align_corners")),
    ),
    "RNN": _hybrid(1, 2, 3),
    "SELECT": ((3, lambda call: any(call.dimensions(index) == _FIVE for index in range(3))),),
    "SLICE": ((5, _above(4)),),
    "STRIDED_SLICE": (
        (4, _above(4)),
        (6, lambda call: call.has("ellipsis_mask") or call.has("new_axis_mask")),
        (8, lambda call: call.has("offset")),
    ),
    "SUB": (
        (3, _broadcasts_above_4),
        (5, lambda call: call.dtype() == "int16" and not call.has("pot_scale_int16")),
    ),
    "SVDF": _hybrid(1, 2, 4),
    "TRANSPOSE": ((4, _above(4)), (6, _above(5)), (8, _above(6))),
    "TRANSPOSE_CONV": (
        (3, lambda call: call.input(3) is not None),
        (4, lambda call: call.has("fused_activation_function")),
        (5, _has_int32_bias),
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        *_hybrid(2, 2, 3),
        (4, lambda call: call.has("diagonal_recurrent_tensors")),
        (5, lambda call: call.dtype() == call.output_dtype == "int16" and call.dtype(2) == "int8"),
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": _hybrid(1, 2, 3),
    "WHERE": ((2, lambda call: call.dtype() != "bool"),),
}
"""By operator, versions and the conditions that need them, besides the dtype."""
