"""Calibration of models with fused recurrent operators by TensorFlow's own calibrator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from edgepack.core.errors import ConversionError, reason
from edgepack.core.progress import Update
from edgepack.tflite.graph import Graph

FUSED = frozenset({"SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"})
"""Stateful operators with internal values whose ranges only that calibrator can observe."""

WITHOUT_FUSED = "give the Keras model, whose recurrent layers edgepack unrolls"
"""How to avoid these operators, which a .tflite file of another converter may have."""


def has_fused_operators(graph: Graph) -> bool:
    """Whether a float model has one of the :data:`FUSED` operators."""
    return any(operator.name in FUSED for operator in graph.operators)


def calibrate_fused(
    float_tflite: bytes,
    samples: Sequence[NDArray[Any]],
    update: Update,
    order: Iterable[int] | None = None,
) -> bytes:
    """Run a float .tflite on the samples and record the minimum and maximum of each tensor.

    ``samples`` has one array of shape (samples, ...) for each input, in the file's order; the
    model's batch is 1. They are fed in ``order``, or as they are; the calibrator keeps the states
    of operators from one sample to the next, so the ranges depend on it. The result is the same
    model with the ranges in its tensors' ``quantization.min`` and ``quantization.max``, those
    inside fused operators included. This is the calibrator of ``TFLiteConverter``; it needs
    TensorFlow.

    Raises :class:`ConversionError` if an operator cannot run on a sample.
    """
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    total = len(samples[0])

    def feed() -> Iterator[list[NDArray[Any]]]:
        for done, sample in enumerate(range(total) if order is None else order):
            update(done, total)
            yield [array[sample : sample + 1] for array in samples]

    try:
        calibrated: bytes = Calibrator(float_tflite).calibrate(feed)
    except Exception as error:
        raise ConversionError(
            "TensorFlow's calibrator cannot run the model on the representative dataset:"
            f" {reason(error)}; check the values of its inputs, or {WITHOUT_FUSED}"
        ) from error
    update(total, total)
    return calibrated
