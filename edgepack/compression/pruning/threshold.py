"""A global magnitude threshold: weights below it become zero, in one shot."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.weights import kernels


def zero_below(model: Any, threshold: float, plan: PruningPlan) -> None:
    """Set every weight ``w`` with ``|w| < threshold`` to zero, in place; biases stay.

    Layers whose sparsity the plan sets to 0 stay as they are.
    """
    for name, weights in kernels(model):
        for weight in weights if plan.sparsity(name) else ():
            values = np.asarray(weight)
            weight.assign(np.where(np.abs(values) < threshold, 0, values))
