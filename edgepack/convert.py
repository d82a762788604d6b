"""Keras model to float .tflite."""

from __future__ import annotations

from edgepack.errors import ConversionError, reason
from edgepack.keras_model import KerasModel


def to_float_tflite(loaded: KerasModel, sample_shape: tuple[int, ...]) -> bytes:
    """Convert a model with its batch fixed at 1, as microcontrollers need it.

    ``sample_shape`` is the shape of one input without the batch; it fills in the dimensions that
    the model leaves open. The variables are frozen into a graph first: the converter's own way,
    which saves the model and loads it again, takes several times as long for the same result.

    Raises :class:`ConversionError` if TensorFlow's converter refuses.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec((1, *sample_shape), loaded.input.dtype, name=loaded.input.name)
    try:
        function = tf.function(loaded)
        frozen = convert_variables_to_constants_v2(function.get_concrete_function(spec))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        tflite: bytes = converter.convert()
    except Exception as error:
        raise ConversionError(
            f"{loaded.path}: TensorFlow's converter refuses the model: {reason(error)}"
        ) from error
    return tflite
