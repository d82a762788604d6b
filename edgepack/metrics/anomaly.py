"""Anomaly detection metrics for autoencoders, based on the reconstruction error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from edgepack.metrics.ground_truth import autoencoder_inputs, inputs_with_anomaly_labels
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean
from edgepack.metrics.regression import squared_error
from edgepack.metrics.roc import partial_roc_auc, roc_auc

RECONSTRUCTION = Metric(
    name="reconstruction-mse",
    title="reconstruction error",
    family=Family.ANOMALY,
    unit=Unit.ERROR,
    is_more_better=False,
    wanted=partial(autoencoder_inputs, "reconstruction-mse"),
    condense=squared_error,
    value=weighted_mean,
    loss=Loss.MEAN_SQUARED_ERROR,
)

MAX_FALSE_POSITIVE_RATE = 0.1
"""The upper limit of the false positive rate for the partial AUC, as in DCASE task 2."""


def _score_and_label(outputs: Array, targets: Array, boundary: float) -> Array:
    """Return each sample's anomaly score (its squared error) and label, float64 (samples, 2)."""
    return np.column_stack([squared_error(outputs, targets["values"], boundary), targets["label"]])


def _auc(rows: Array, weights: Array) -> Array:
    return roc_auc(rows[:, :1], rows[:, 1:] == 1, weights)[:, 0]


def _partial_auc(rows: Array, weights: Array) -> Array:
    return partial_roc_auc(rows[:, 0], rows[:, 1] == 1, weights, MAX_FALSE_POSITIVE_RATE)


def _metric(name: str, title: str, value: Callable[[Array, Array], Array]) -> Metric:
    return Metric(
        name=name,
        title=title,
        family=Family.ANOMALY,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=partial(inputs_with_anomaly_labels, name),
        condense=_score_and_label,
        value=value,
    )


ANOMALY = (
    RECONSTRUCTION,
    _metric("anomaly-auc", "AUC of anomalies", _auc),
    _metric(
        "anomaly-pauc",
        f"partial AUC of anomalies (to {MAX_FALSE_POSITIVE_RATE:g})",
        _partial_auc,
    ),
)
