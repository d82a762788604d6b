"""Full-integer INT8 quantization: int8 inputs, outputs, weights and operators."""

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
    """Quantize a float .tflite whose tensors contain their ranges (``quantization.min/max``).

    ``in_float`` are the names of the first outputs of operators that stay in float;
    ``per_tensor_dense`` uses one scale for the weights of a dense layer instead of one per output.

    This is the second half of ``TFLiteConverter``'s full-integer conversion, called separately so
    that ranges from any source can be used. It needs TensorFlow.

    The quantizer occasionally leaves a SPLIT in float if one of its outputs is unused, as in the
    first step of an unrolled LSTM; this depends on memory addresses, so it is run again.

    Raises :class:`ConversionError` if the quantizer rejects the model.
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
            f"TensorFlow's quantizer rejects the model: {reason(error)}"
        ) from error
    return quantized
