"""Cures for operators that an interpreter does not support."""

from __future__ import annotations

from edgepack.tflite.graph import Operator

_UNROLL = "build the recurrent layer with unroll=True, as edgepack export does automatically"
_TWO_DIMENSIONS = "fold the third dimension into the channels and use a two-dimensional convolution"
_STATIC = "compute it outside the model, or make it a constant"

_CURES = {
    "BATCH_MATMUL": "write products with constants as Dense layers",
    "BIDIRECTIONAL_SEQUENCE_LSTM": _UNROLL,
    "BIDIRECTIONAL_SEQUENCE_RNN": _UNROLL,
    "CONV_3D": _TWO_DIMENSIONS,
    "CONV_3D_TRANSPOSE": _TWO_DIMENSIONS,
    "DENSIFY": "convert without EXPERIMENTAL_SPARSITY: the zeros are kept",
    "FAKE_QUANT": "quantize the model: it was converted during quantization-aware training",
    "GELU": "use another activation, such as relu or hard_swish, or x * sigmoid(1.702 x), which"
    " approximates it",
    "LSTM": _UNROLL,
    "MULTINOMIAL": "draw samples in the application",
    "NON_MAX_SUPPRESSION_V4": "select boxes in the application",
    "NON_MAX_SUPPRESSION_V5": "select boxes in the application",
    "RANDOM_STANDARD_NORMAL": "draw samples in the application",
    "RANDOM_UNIFORM": "draw samples in the application",
    "RNN": _UNROLL,
    "TILE": "concatenate the tensor with itself, or let ADD and MUL broadcast it",
    "TOPK_V2": "use ARG_MAX for the largest, or sort in the application",
    "UNIDIRECTIONAL_SEQUENCE_RNN": _UNROLL,
    "UNIQUE": _STATIC,
    "WHERE": "select with SELECT_V2 from tensors of a fixed shape (tf.where with three arguments)",
    "WHILE": _UNROLL,
}
_VERSIONS = {
    ("FULLY_CONNECTED", 12): "quantize with --dense per-tensor",
    ("FULLY_CONNECTED", 8): "convert without EXPERIMENTAL_SPARSITY",
    ("FULLY_CONNECTED", 13): "keep its weights in int8",
    ("FULLY_CONNECTED", 14): "keep its weights in int8",
    ("CONV_2D", 8): "quantize biases to int64",
    ("DEQUANTIZE", 6): "keep weights in int8",
    ("DEQUANTIZE", 7): "keep weights in int8",
}


def cure_of(operator: Operator, version: int | None = None) -> str:
    """Return how to avoid an operator, or a ``version`` of it that is too new."""
    if version is not None and (cure := _VERSIONS.get((operator.name, version))):
        return cure
    if operator.is_custom:
        if operator.name.startswith("Flex"):
            return (
                f"build the layer from operations other than TensorFlow's {operator.name[4:]}, and"
                " convert without SELECT_TF_OPS"
            )
        return "build the layer from builtin operations of TensorFlow Lite"
    if version is not None:
        return (
            "convert with a TensorFlow release as old as the interpreter, or use fewer features of"
            " the layer"
        )
    return _CURES.get(operator.name, "replace the layer with one that uses other operations")
