"""How much the outputs of two forms of one model may differ, and how much they do."""

from __future__ import annotations

from typing import Any

import numpy as np

TOLERANCE = 1e-5
"""Largest difference of an output, as a fraction of the largest output: float32 rounding."""


def relative_difference(expected: Any, actual: Any) -> float:
    """Return the largest difference, as a fraction of the largest expected magnitude.

    NaN if there is one in either.
    """
    expected, actual = np.asarray(expected), np.asarray(actual)
    scale = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(expected - actual).max(initial=0.0)) / (scale or 1.0)
