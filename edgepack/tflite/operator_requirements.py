"""The inputs, outputs and options that each builtin operator requires.

They follow TensorFlow Lite's schema and kernels. Interpreters read missing options as zeros, and
check few enumerations: a stride of 0 makes one divide by zero and another return arbitrary values,
an invalid padding acts as none or as a negative one. Requirements that depend on shapes and types
are left to the interpreters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ai_edge_litert import schema_py_generated as schema

from edgepack.tflite.flatbuffer_tables import Damage, Violation
from edgepack.tflite.graph import Operator


@dataclass(frozen=True)
class _Needs:
    """The minimum and maximum number of inputs and outputs; a maximum of None means no limit.

    The minimum number of first inputs must be present, except the one with the index ``optional``.
    ``options`` is the table of the schema that the operator requires, ``positive`` are its fields
    that must be at least 1, ``counts`` those that count the inputs or the outputs.
    """

    inputs: tuple[int, int | None]
    outputs: tuple[int, int | None] = (1, 1)
    options: str | None = None
    positive: tuple[str, ...] = ()
    counts: tuple[tuple[str, str], ...] = ()
    optional: int | None = None


def require_valid_operator(position: int, operator: Operator, options: str) -> None:
    """Check that an operator has what it requires.

    ``position`` is its index in the graph, ``options`` the name of its options table, or NONE.
    Raises :class:`~edgepack.tflite.flatbuffer_tables.Damage`.
    """
    if operator.is_custom:
        return
    name = f"operator {position}, {operator.name},"
    if operator.version < 1:
        raise Violation(f"{name} has version {operator.version}")
    for field, value in operator.options.items():
        if field in _ENUMS and value not in _ENUMS[field]:
            raise Violation(f"{name} has {field} {value:g}, which does not exist")
    if needs := _NEEDS.get(operator.name):
        _require_tensors(name, operator, needs)
        _require_options(name, operator, needs, options)


def _require_tensors(name: str, operator: Operator, needs: _Needs) -> None:
    for kind, count, (least, most) in (
        ("inputs", len(operator.inputs), needs.inputs),
        ("outputs", len(operator.outputs), needs.outputs),
    ):
        if count < least or (most is not None and count > most):
            raise Damage(f"{name} has {count} {kind}, but {_span(least, most)} needed")
    for index in range(needs.inputs[0]):
        if operator.inputs[index] == -1 and index != needs.optional:
            raise Damage(f"{name} omits input {index}")


def _require_options(name: str, operator: Operator, needs: _Needs, options: str) -> None:
    if needs.options not in (None, options):
        raise Violation(f"{name} has no {needs.options}")
    for field in needs.positive:
        if (value := operator.options.get(field, 0)) < 1:
            raise Violation(f"{name} has {field} {value:g}")
    for field, kind in needs.counts:
        value, count = operator.options.get(field, 0), len(getattr(operator, kind))
        if value != count:
            raise Violation(f"{name} has {field} {value:g} but {count} {kind}")


def _span(least: int, most: int | None) -> str:
    """Return how many are needed, with the verb."""
    if most == least:
        return f"{least} {'is' if least == 1 else 'are'}"
    return f"{least} or more are" if most is None else f"{least} to {most} are"


def _values(enumeration: str) -> frozenset[int]:
    attributes = vars(getattr(schema, enumeration)).values()
    return frozenset(value for value in attributes if isinstance(value, int))


_ENUMS: Mapping[str, frozenset[int]] = {
    field: _values(enumeration)
    for enumeration, fields in {
        "ActivationFunctionType": ("fused_activation_function",),
        "CombinerType": ("combiner",),
        "FullyConnectedOptionsWeightsFormat": ("weights_format",),
        "LSTMKernelType": ("kernel_type",),
        "MirrorPadMode": ("mode",),
        "Padding": ("padding",),
        "TensorType": (
            *("idx_out_type", "in_data_type", "out_data_type", "out_type", "output_type"),
            "quantized_bias_type",
        ),
    }.items()
    for field in fields
}
"""By the name of a field in any options, its valid values."""

_STRIDES = ("stride_w", "stride_h")
_DILATIONS = ("dilation_w_factor", "dilation_h_factor")
_DEPTHS = ("stride_d", "dilation_d_factor")


def _all(needs: _Needs, *operators: str) -> dict[str, _Needs]:
    return dict.fromkeys(operators, needs)


_POOL = _Needs((1, 1), (1, 1), "Pool2DOptions", (*_STRIDES, "filter_width", "filter_height"))
_CONVOLUTION = _Needs((2, 3), (1, 1), "Conv2DOptions", (*_STRIDES, *_DILATIONS))
_IN_3D = replace(_CONVOLUTION, options="Conv3DOptions", positive=(*_STRIDES, *_DILATIONS, *_DEPTHS))

_NEEDS: Mapping[str, _Needs] = {
    **_all(
        _Needs((1, 1)),
        *("ABS", "CAST", "CEIL", "COS", "DENSIFY", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "GELU"),
        *("HARD_SWISH", "L2_NORMALIZATION", "LEAKY_RELU", "LOG", "LOGICAL_NOT", "LOGISTIC"),
        *("LOG_SOFTMAX", "NEG", "QUANTIZE", "RANK", "RELU", "RELU6", "RELU_0_TO_1"),
        *("RELU_N1_TO_1", "ROUND", "RSQRT", "SHAPE", "SIGN", "SIN", "SQRT", "SQUARE", "SQUEEZE"),
        *("TANH", "WHERE", "ZEROS_LIKE"),
    ),
    **_all(
        _Needs((2, 2)),
        *("ADD", "ARG_MAX", "ARG_MIN", "ATAN2", "BATCH_MATMUL", "BROADCAST_TO", "CUMSUM", "DIV"),
        *("EMBEDDING_LOOKUP", "EQUAL", "EXPAND_DIMS", "FILL", "FLOOR_DIV", "FLOOR_MOD", "GATHER"),
        *("GATHER_ND", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND"),
        *("LOGICAL_OR", "MAXIMUM", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NOT_EQUAL", "PAD"),
        *("POW", "PRELU", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"),
        *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SQUARED_DIFFERENCE"),
        *("SUB", "SUM", "TILE", "TRANSPOSE"),
    ),
    **_all(
        _Needs((3, 3)),
        *("BATCH_TO_SPACE_ND", "DYNAMIC_UPDATE_SLICE", "PADV2", "RANGE", "SELECT", "SELECT_V2"),
        *("SLICE", "SPACE_TO_BATCH_ND"),
    ),
    **_all(_Needs((4, 4)), "ONE_HOT", "SPARSE_TO_DENSE", "STRIDED_SLICE"),
    **_all(_Needs((1, None)), "ADD_N", "CONCATENATION"),
    **_all(_POOL, "AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"),
    "CONV_2D": _CONVOLUTION,
    "CONV_3D": _IN_3D,
    "CONV_3D_TRANSPOSE": replace(_IN_3D, inputs=(3, 4)),
    "DEPTH_TO_SPACE": _Needs((1, 1), (1, 1), "DepthToSpaceOptions", ("block_size",)),
    "DEPTHWISE_CONV_2D": replace(_CONVOLUTION, options="DepthwiseConv2DOptions"),
    "FULLY_CONNECTED": _Needs((2, 3), (1, 2)),
    "PACK": _Needs((1, None), (1, 1), "PackOptions", counts=(("values_count", "inputs"),)),
    "RESHAPE": _Needs((1, 2)),
    "SOFTMAX": _Needs((1, 1), (1, 1), "SoftmaxOptions"),
    "SPACE_TO_DEPTH": _Needs((1, 1), (1, 1), "SpaceToDepthOptions", ("block_size",)),
    "SPLIT": _Needs((2, 2), (1, None), "SplitOptions", counts=(("num_splits", "outputs"),)),
    "SPLIT_V": _Needs((3, 3), (1, None), "SplitVOptions", counts=(("num_splits", "outputs"),)),
    "SVDF": _Needs((4, 5), (1, 2), "SVDFOptions", ("rank",), optional=3),
    "TOPK_V2": _Needs((2, 2), (2, 2)),
    "TRANSPOSE_CONV": _Needs((3, 4), (1, 1), "TransposeConvOptions", _STRIDES),
    "UNPACK": _Needs((1, 1), (1, None), "UnpackOptions", counts=(("num", "outputs"),)),
}
