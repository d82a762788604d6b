"""The change of a metric from the float model to another model, with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgepack.evaluation.bootstrap import (
    MIN_SAMPLES,
    percentile_interval,
    sample_accuracy_losses,
    standard_error,
)
from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.results import Change, Interval, MetricResult
from edgepack.evaluation.significance import (
    detectable_accuracy_loss,
    detectable_loss,
    mcnemar_p_value,
    wilson_interval,
)
from edgepack.metrics.metric import Metric, Unit, weighted_mean

_DECIMALS = 9  # 0.92 - 0.90 is slightly more than 0.02 in floating point


def metric_loss(metric: Metric, float_value: float, value: float) -> float:
    """Compute the loss of a metric from the float model's value; NaN if either value is.

    It is in percentage points for a fraction such as accuracy, in percent of the float model's
    error for an error, in decibels, or in the unit of the metric. It is negative for a gain, and
    infinite for an error that is 0 for the float model only.
    """
    loss = metric_losses(metric, np.array([float_value]), np.array([value])).item()
    return float(round(loss, _DECIMALS))


def metric_losses(metric: Metric, float_values: Array, values: Array) -> Array:
    """Compute the losses (n,) from the float model's values (n,), as :func:`metric_loss` does."""
    lost = float_values - values if metric.is_more_better else values - float_values
    if metric.unit is Unit.FRACTION:
        return np.asarray(100 * lost)
    if metric.unit is not Unit.ERROR:
        return np.asarray(lost)
    from_zero: Array = np.where(lost == 0, 0.0, np.where(np.isnan(lost), np.nan, np.inf))
    np.divide(100 * lost, float_values, out=from_zero, where=float_values != 0)
    return from_zero


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricScore:
    """A metric's value for one model, and what its interval is computed from.

    For an accuracy (see :func:`is_accuracy`) this is ``is_correct``, which samples are classified
    correctly, bool (samples,). For any other metric it is ``resampled``, the values of the
    bootstrap resamples, float64 (resamples,). The other one is None. ``samples`` is their number.
    """

    metric: Metric
    value: float
    is_correct: Array | None
    resampled: Array | None
    samples: int


def is_accuracy(metric: Metric, rows: Array) -> bool:
    """Whether a metric is simply the fraction of samples that are correct."""
    return metric.value is weighted_mean and rows.dtype == bool and rows.ndim == 1


def metric_result(score: MetricScore, float_score: MetricScore | None) -> MetricResult:
    """Return a metric's value, interval and change against the float model.

    ``float_score`` is None if ``score`` is that of the float model itself.
    """
    metric = score.metric
    is_defined = math.isfinite(score.value)
    return MetricResult(
        name=metric.name,
        title=metric.title,
        unit=metric.unit.value,
        is_more_better=metric.is_more_better,
        value=score.value if is_defined else None,
        interval=_interval(score) if is_defined else None,
        change=_change(float_score, score) if is_defined and float_score is not None else None,
    )


def _interval(score: MetricScore) -> Interval | None:
    if score.is_correct is not None:
        return wilson_interval(int(score.is_correct.sum()), len(score.is_correct))
    if score.resampled is None or score.samples < MIN_SAMPLES:
        return None
    return percentile_interval(score.resampled)


def _change(float_score: MetricScore, score: MetricScore) -> Change:
    loss = metric_loss(score.metric, float_score.value, score.value)
    if not math.isfinite(loss):
        return Change(loss=None, interval=None, detectable=None)
    if float_score.is_correct is not None and score.is_correct is not None:
        return accuracy_change(loss, float_score.is_correct, score.is_correct)
    assert float_score.resampled is not None  # noqa: S101 (not an accuracy)
    assert score.resampled is not None  # noqa: S101
    resampled = metric_losses(score.metric, float_score.resampled, score.resampled)
    interval = percentile_interval(resampled) if score.samples >= MIN_SAMPLES else None
    is_unchanged = loss == 0 and not resampled[np.isfinite(resampled)].any()
    if interval is None and is_unchanged and score.metric.unit is Unit.FRACTION:
        # No resample differs, so that they show nothing: an accuracy stands in for the fraction.
        unchanged = np.ones(score.samples, bool)
        accuracy = accuracy_change(loss, unchanged, unchanged)
        return Change(loss=loss, interval=accuracy.interval, detectable=accuracy.detectable)
    return Change(
        loss=loss,
        interval=interval,
        detectable=None if interval is None else detectable_loss(standard_error(resampled)),
    )


def accuracy_change(loss: float, is_float_correct: Array, is_correct: Array) -> Change:
    """Return the change of an accuracy, of which the ``loss`` is in points.

    The others say which samples (samples,) are right by the one model and by the other, bool.
    """
    samples = len(is_correct)
    only_float = int(np.count_nonzero(is_float_correct & ~is_correct))
    only_other = int(np.count_nonzero(is_correct & ~is_float_correct))
    detectable = detectable_accuracy_loss(only_float + only_other, samples)
    return Change(
        loss=loss,
        interval=percentile_interval(100 * sample_accuracy_losses(only_float, only_other, samples)),
        detectable=None if detectable is None else 100 * detectable,
        only_float=only_float,
        only_other=only_other,
        p_value=mcnemar_p_value(only_float, only_other),
    )
