"""Which class a model's outputs tell."""

from __future__ import annotations

import numpy as np

from edgepack.metrics.metric import Array


def are_probabilities(outputs: Array) -> bool:
    """Whether outputs are probabilities rather than logits: all of them lie in 0 to 1."""
    return bool(outputs.min() >= 0 and outputs.max() <= 1)


def decision_boundary(outputs: Array) -> float:
    """Find from where on a lone output of the float model means yes: 0.5, or 0 for logits."""
    return 0.5 if are_probabilities(outputs) else 0.0


def predicted_classes(outputs: Array, boundary: float) -> Array:
    """Turn outputs (samples, ..., classes) into class numbers; from the boundary on one means yes.

    The first of equal scores wins.
    """
    if outputs.shape[-1] == 1:
        return np.asarray(outputs[..., 0] >= boundary).astype(np.int64)
    return np.asarray(outputs.argmax(axis=-1))


def class_count(outputs: int | None) -> int:
    """Count the classes that so many outputs tell apart: a lone one says no or yes."""
    return max(outputs or 0, 2)
