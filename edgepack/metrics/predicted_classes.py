"""The classes that a model's outputs predict."""

from __future__ import annotations

import numpy as np

from edgepack.metrics.metric import Array


def are_probabilities(outputs: Array) -> bool:
    """Whether outputs are probabilities rather than logits: all of them are in [0, 1]."""
    return bool(outputs.min() >= 0 and outputs.max() <= 1)


def decision_boundary(outputs: Array) -> float:
    """Return the decision threshold for a single-output binary classifier.

    0.5 if the float model's ``outputs`` are probabilities, 0.0 if they are logits.
    """
    return 0.5 if are_probabilities(outputs) else 0.0


def predicted_classes(outputs: Array, boundary: float) -> Array:
    """Return the predicted class numbers (samples, ...) of outputs (samples, ..., classes).

    This is the argmax, the first of equal scores. A single output predicts class 1 if it is greater
    than or equal to ``boundary``, else class 0.
    """
    if outputs.shape[-1] == 1:
        return np.asarray(outputs[..., 0] >= boundary).astype(np.int64)
    return np.asarray(outputs.argmax(axis=-1))


def class_count(outputs: int | None) -> int:
    """Return the number of classes for a number of outputs: 2 for a single (binary) output."""
    return max(outputs or 0, 2)
