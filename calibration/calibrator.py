"""Calibration: the range of each activation over a representative dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from edgepack.errors import ConversionError, reason
from edgepack.progress import Update


def calibrate(float_tflite: bytes, samples: Sequence[NDArray[Any]], update: Update) -> bytes:
    """Run a float .tflite over the samples and record the minimum and maximum of each tensor.

    ``samples`` has one array of shape (samples, ...) for each input, in the file's order; the
    model takes one sample at a time. The result is the same model with the ranges in its tensors'
    ``quantization.min`` and ``quantization.max``. This is TensorFlow's own calibrator, as
    ``TFLiteConverter`` uses it; it needs TensorFlow.

    Raises :class:`ConversionError` if an operator cannot run on a sample.
    """
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    total = len(samples[0])

    def feed() -> Iterator[list[NDArray[Any]]]:
        for done in range(total):
            update(done, total)
            yield [array[done : done + 1] for array in samples]

    try:
        calibrated: bytes = Calibrator(float_tflite).calibrate(feed)
    except Exception as error:
        raise ConversionError(
            "TensorFlow's calibrator cannot run the model on the representative dataset:"
            f" {reason(error)}; check the values of its inputs"
        ) from error
    update(total, total)
    return calibrated
