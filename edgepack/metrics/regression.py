"""Metrics for models that output real values."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgepack.metrics.ground_truth import real_targets, target_vectors
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean, weighted_sums

_ROUNDING = 1e-12
"""A variance up to this fraction of its sum of squares may be rounding error, and counts as 0."""


def squared_error(outputs: Array, targets: Array, boundary: float) -> Array:  # noqa: ARG001
    """Return the mean squared error of each sample, float64 (samples,)."""
    return _mean_per_sample(np.square(_difference(outputs, targets)))


def _absolute_error(outputs: Array, targets: Array, boundary: float) -> Array:  # noqa: ARG001
    return _mean_per_sample(np.abs(_difference(outputs, targets)))


def _difference(outputs: Array, targets: Array) -> Array:
    difference: Array = outputs.astype(np.float64) - targets
    return difference


def _mean_per_sample(values: Array) -> Array:
    mean: Array = values.reshape(len(values), -1).mean(axis=1)
    return mean


def _targets_and_squares(outputs: Array, targets: Array, boundary: float) -> Array:  # noqa: ARG001
    """Return the targets and the squared differences, float64 (samples, 2, values)."""
    return np.stack([targets.astype(np.float64), np.square(_difference(outputs, targets))], axis=1)


def _r2(rows: Array, weights: Array) -> Array:
    """Compute R2, the fraction of the variance that is explained, averaged over the values.

    As in scikit-learn's ``r2_score``, the R2 of a constant value is 1 if it is predicted exactly,
    else 0. For a single sample, which has no variance, the result is NaN.
    """
    centered = rows[:, 0] - rows[:, 0].mean(axis=0)  # squares of large numbers lose digits
    count = weights.sum(axis=1)
    squares = weighted_sums(np.square(centered), weights)
    total = squares - np.square(weighted_sums(centered, weights)) / count[:, np.newaxis]
    residual = weighted_sums(rows[:, 1], weights)
    varies = total > _ROUNDING * squares
    explained = np.where(residual == 0, 1.0, 0.0)
    explained[varies] = 1.0 - residual[varies] / total[varies]
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
        wanted=partial(target_vectors, "r2"),
        condense=_targets_and_squares,
        value=_r2,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
)
