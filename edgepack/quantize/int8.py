"""Full-integer INT8: int8 inputs, outputs, weights and operators."""

from __future__ import annotations

from edgepack.errors import ConversionError, reason
from edgepack.flatbuffer import read_tflite
from edgepack.quantize.proof import float_operators

_ATTEMPTS = 50


def quantize_int8(calibrated_tflite: bytes) -> bytes:
    """Quantize a float .tflite whose tensors carry their ranges (``quantization.min/max``).

    This is the second half of ``TFLiteConverter``'s full-integer conversion, called on its own
    so that the ranges can be anyone's. It needs TensorFlow.

    It leaves a SPLIT in float now and then, if one of its outputs is not used (the first step of
    an unrolled LSTM has one), depending on where things lie in memory; then it is asked again.

    Raises :class:`ConversionError` if the quantizer refuses the model.
    """
    quantized = _quantize(calibrated_tflite)
    for _ in range(_ATTEMPTS):
        if float_operators(read_tflite(quantized)) != {"SPLIT"}:
            break
        quantized = _quantize(calibrated_tflite)
    return quantized


def _quantize(calibrated_tflite: bytes) -> bytes:
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    try:
        quantized: bytes = mlir_quantize(
            calibrated_tflite,
            fully_quantize=True,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
        )
    except Exception as error:
        raise ConversionError(
            f"TensorFlow's quantizer refuses the model: {reason(error)}"
        ) from error
    return quantized
