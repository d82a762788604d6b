"""What a metric loses from the float model to another, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgepack.evaluation.bootstrap import interval, standard_error, table_losses
from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.results import Change, Interval, MetricResult
from edgepack.evaluation.scores import drop, losses
from edgepack.evaluation.significance import detectable, detectable_accuracy, mcnemar, wilson
from edgepack.metrics.metric import Metric, weighted_mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """One model by one metric: the value, and the values of the resamples.

    Of an accuracy (see :func:`is_accuracy`) more is known: which samples ``are_right``, boolean
    (samples,). It has no ``resampled``, and nothing else has that.
    """

    metric: Metric
    value: float
    are_right: Array | None
    resampled: Array | None


def is_accuracy(metric: Metric, rows: Array) -> bool:
    """Whether a metric is the share of samples that are right, and nothing else."""
    return metric.value is weighted_mean and rows.dtype == bool and rows.ndim == 1


def metric_result(scored: Scored, of_float: Scored | None) -> MetricResult:
    """Tell a value, its interval and what it loses; of the float model itself for None."""
    metric = scored.metric
    is_told = math.isfinite(scored.value)
    return MetricResult(
        name=metric.name,
        title=metric.title,
        unit=metric.unit.value,
        is_more_better=metric.is_more_better,
        value=scored.value if is_told else None,
        interval=_interval(scored) if is_told else None,
        change=_change(of_float, scored) if is_told and of_float is not None else None,
    )


def _interval(scored: Scored) -> Interval | None:
    if scored.are_right is not None:
        return wilson(int(scored.are_right.sum()), len(scored.are_right))
    return None if scored.resampled is None else interval(scored.resampled)


def _change(of_float: Scored, of_other: Scored) -> Change:
    lost = drop(of_other.metric, of_float.value, of_other.value).amount
    if not math.isfinite(lost):
        return Change(loss=None, interval=None, detectable=None)
    if of_float.are_right is not None and of_other.are_right is not None:
        return _change_of_accuracy(lost, of_float.are_right, of_other.are_right)
    assert of_float.resampled is not None  # noqa: S101 (no accuracy)
    assert of_other.resampled is not None  # noqa: S101
    resampled = losses(of_other.metric, of_float.resampled, of_other.resampled)
    found = interval(resampled)
    return Change(
        loss=lost,
        interval=found,
        detectable=None if found is None else detectable(standard_error(resampled)),
    )


def _change_of_accuracy(lost: float, of_float: Array, of_other: Array) -> Change:
    samples = len(of_float)
    only_float = int(np.count_nonzero(of_float & ~of_other))
    only_other = int(np.count_nonzero(of_other & ~of_float))
    least = detectable_accuracy(only_float + only_other, samples)
    return Change(
        loss=lost,
        interval=interval(100 * table_losses(only_float, only_other, samples)),
        detectable=None if least is None else 100 * least,
        only_float=only_float,
        only_other=only_other,
        p_value=mcnemar(only_float, only_other),
    )
