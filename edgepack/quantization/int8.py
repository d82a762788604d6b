"""Full-integer INT8: int8 inputs, outputs, weights and operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgepack.core.errors import ConversionError, reason
from edgepack.quantization.verify import float_operators
from edgepack.tflite.parser import read_tflite

_ATTEMPTS = 50


def quantize_int8(
    calibrated_tflite: bytes, *, in_float: Sequence[str] = (), per_tensor_dense: bool = False
) -> bytes:
    """Quantize a float .tflite whose tensors carry their ranges (``quantization.min/max``).

    Operators stay in float whose first outputs are named ``in_float``; ``per_tensor_dense`` gives
    the weights of a dense layer one scale instead of one for each output.

    This is the second half of ``TFLiteConverter``'s full-integer conversion, called on its own
    so that the ranges can be anyone's. It needs TensorFlow.

    It leaves a SPLIT in float now and then, if one of its outputs is not used (the first step of
    an unrolled LSTM has one), depending on where things lie in memory; then it is asked again.

    Raises :class:`ConversionError` if the quantizer refuses the model.
    """
    settings = {
        "denylisted_nodes": list(in_float),
        "disable_per_channel_for_dense_layers": per_tensor_dense,
    }
    quantized = _quantize(calibrated_tflite, settings)
    for _ in range(_ATTEMPTS):
        if float_operators(read_tflite(quantized), in_float) != {"SPLIT"}:
            break
        quantized = _quantize(calibrated_tflite, settings)
    return quantized


def _quantize(calibrated_tflite: bytes, settings: dict[str, Any]) -> bytes:
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    try:
        quantized: bytes = mlir_quantize(
            calibrated_tflite,
            fully_quantize=True,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            **settings,
        )
    except Exception as error:
        raise ConversionError(
            f"TensorFlow's quantizer refuses the model: {reason(error)}"
        ) from error
    return quantized
