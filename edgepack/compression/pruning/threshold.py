"""Pruning by a global magnitude threshold: weights below it become zero, in one shot."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.weights import layer_weights


def zero_below(model: Any, threshold: float, plan: PruningPlan) -> None:
    """Set every weight ``w`` with ``|w| < threshold`` to zero, in place; biases are unchanged.

    Layers to which the plan assigns a sparsity of 0 are unchanged.
    """
    for name, weights in layer_weights(model):
        for weight in weights if plan.sparsity(name) else ():
            values = np.asarray(weight)
            weight.assign(np.where(np.abs(values) < threshold, 0, values))
