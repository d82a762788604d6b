"""Metrics of autoencoders, which give back what is normal and fail at what is not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from edgepack.metrics.ground_truth import inputs, marked_inputs
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean
from edgepack.metrics.regression import squared_error
from edgepack.metrics.roc import partial_roc_auc, roc_auc

RECONSTRUCTION = Metric(
    name="reconstruction-mse",
    title="reconstruction error",
    family=Family.ANOMALY,
    unit=Unit.ERROR,
    is_more_better=False,
    wanted=partial(inputs, "reconstruction-mse"),
    condense=squared_error,
    value=weighted_mean,
    loss=Loss.MEAN_SQUARED_ERROR,
)

MOST_FALSE_ALARMS = 0.1
"""Up to this rate of them the partial area counts, as in task 2 of DCASE."""


def _score_and_label(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Give how anomalous each sample is, its squared error, and its label, float64 (samples, 2)."""
    return np.column_stack([squared_error(outputs, wanted["values"], boundary), wanted["label"]])


def _auc(rows: Array, weights: Array) -> Array:
    return roc_auc(rows[:, :1], rows[:, 1:] == 1, weights)[:, 0]


def _partial_auc(rows: Array, weights: Array) -> Array:
    return partial_roc_auc(rows[:, 0], rows[:, 1] == 1, weights, MOST_FALSE_ALARMS)


def _metric(name: str, title: str, value: Callable[[Array, Array], Array]) -> Metric:
    return Metric(
        name=name,
        title=title,
        family=Family.ANOMALY,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=partial(marked_inputs, name),
        condense=_score_and_label,
        value=value,
    )


ANOMALY = (
    RECONSTRUCTION,
    _metric("anomaly-auc", "AUC of anomalies", _auc),
    _metric("anomaly-pauc", f"partial AUC of anomalies (to {MOST_FALSE_ALARMS:g})", _partial_auc),
)
