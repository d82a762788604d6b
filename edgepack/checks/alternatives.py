"""What to do instead of an operator that an interpreter does not have."""

from __future__ import annotations

from edgepack.tflite.graph import Operator

_UNROLL = "build the recurrent layer with unroll=True, as edgepack export does by itself"
_TWO_DIMENSIONS = "fold the third dimension into the channels and convolve in two"
_STATIC = "compute it before the model, or give it a constant"

_CURES = {
    "BATCH_MATMUL": "write the product with constants as Dense layers",
    "BIDIRECTIONAL_SEQUENCE_LSTM": _UNROLL,
    "BIDIRECTIONAL_SEQUENCE_RNN": _UNROLL,
    "CONV_3D": _TWO_DIMENSIONS,
    "CONV_3D_TRANSPOSE": _TWO_DIMENSIONS,
    "DENSIFY": "convert without EXPERIMENTAL_SPARSITY: zeros stay where they are",
    "FAKE_QUANT": "quantize the model: it was converted in the middle of quantization-aware"
    " training",
    "GELU": "use another activation, such as relu or hard_swish, or x * sigmoid(1.702 x), which is"
    " near to it",
    "LSTM": _UNROLL,
    "MULTINOMIAL": "draw samples in the application",
    "NON_MAX_SUPPRESSION_V4": "choose boxes in the application",
    "NON_MAX_SUPPRESSION_V5": "choose boxes in the application",
    "RANDOM_STANDARD_NORMAL": "draw samples in the application",
    "RANDOM_UNIFORM": "draw samples in the application",
    "RNN": _UNROLL,
    "TILE": "repeat by concatenating the tensor with itself, or let ADD and MUL broadcast it",
    "TOPK_V2": "take the largest with ARG_MAX, or sort in the application",
    "UNIDIRECTIONAL_SEQUENCE_RNN": _UNROLL,
    "UNIQUE": _STATIC,
    "WHERE": "choose with SELECT_V2, of tensors of a fixed shape (tf.where with three arguments)",
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
    """Say what to do instead of an operator, or of a version of it that is too new."""
    if version is not None and (cure := _VERSIONS.get((operator.name, version))):
        return cure
    if operator.is_custom:
        if operator.name.startswith("Flex"):
            return (
                f"build the layer of operations other than TensorFlow's {operator.name[4:]}, and"
                " convert without SELECT_TF_OPS"
            )
        return "build the layer of operations that TensorFlow Lite has itself"
    if version is not None:
        return "convert with the TensorFlow of the time, or use fewer features of the layer"
    return _CURES.get(operator.name, "replace the layer by one of other operations")
