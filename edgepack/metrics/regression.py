"""Metrics of models that give values."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgepack.metrics.ground_truth import real_targets, vectors
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean, weighted_sums

_ROUNDING = 1e-12
"""What a variance, as a fraction of the squares that it is computed of, may be by rounding."""


def squared_error(outputs: Array, wanted: Array, boundary: float) -> Array:  # noqa: ARG001
    """Give the mean of the squared differences of each sample, float64 (samples,)."""
    return _by_sample(np.square(_difference(outputs, wanted)))


def _absolute_error(outputs: Array, wanted: Array, boundary: float) -> Array:  # noqa: ARG001
    return _by_sample(np.abs(_difference(outputs, wanted)))


def _difference(outputs: Array, wanted: Array) -> Array:
    difference: Array = outputs.astype(np.float64) - wanted
    return difference


def _by_sample(each: Array) -> Array:
    mean: Array = each.reshape(len(each), -1).mean(axis=1)
    return mean


def _wanted_and_squares(outputs: Array, wanted: Array, boundary: float) -> Array:  # noqa: ARG001
    """Give the wanted values and the squared differences, float64 (samples, 2, values)."""
    return np.stack([wanted.astype(np.float64), np.square(_difference(outputs, wanted))], axis=1)


def _determination(rows: Array, weights: Array) -> Array:
    """Compute R2, the fraction of the variance that is explained, mean over the values.

    As scikit-learn's ``r2_score``: of a value that does not vary 1 if it is met, else 0. A lone
    sample has no variance: NaN.
    """
    wanted = rows[:, 0] - rows[:, 0].mean(axis=0)  # squares of large numbers lose digits
    count = weights.sum(axis=1)
    squares = weighted_sums(np.square(wanted), weights)
    total = squares - np.square(weighted_sums(wanted, weights)) / count[:, np.newaxis]
    missed = weighted_sums(rows[:, 1], weights)
    varies = total > _ROUNDING * squares
    explained = np.where(missed == 0, 1.0, 0.0)
    np.subtract(1.0, np.divide(missed, total, where=varies), out=explained, where=varies)
    return np.where(count > 1, explained.mean(axis=1), np.nan)


REGRESSION = (
    Metric(
        name="mse",
        title="mean squared error",
        family=Family.REGRESSION,
        unit=Unit.ERROR,
        is_more_better=False,
        wanted=partial(real_targets, "mse"),
        condense=squared_error,
        value=weighted_mean,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
    Metric(
        name="mae",
        title="mean absolute error",
        family=Family.REGRESSION,
        unit=Unit.ERROR,
        is_more_better=False,
        wanted=partial(real_targets, "mae"),
        condense=_absolute_error,
        value=weighted_mean,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
    Metric(
        name="r2",
        title="R2",
        family=Family.REGRESSION,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=partial(vectors, "r2"),
        condense=_wanted_and_squares,
        value=_determination,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
)
