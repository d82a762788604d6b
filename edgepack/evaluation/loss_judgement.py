"""Judgement of a loss by its confidence interval: within a limit, beyond it, or not shown."""

from __future__ import annotations

import math
from enum import Enum

from edgepack.evaluation.results import Change, ClassLoss, Interval, MetricResult
from edgepack.metrics.metric import Unit

MAX_SAMPLES = 10_000_000
"""No test set is larger."""


class Judgement(str, Enum):
    """What samples show of a loss and a limit."""

    WITHIN = "within"
    BEYOND = "beyond"
    NOT_SHOWN = "not shown"


def judge_interval(interval: Interval, limit: float) -> Judgement:
    """Judge a loss by the confidence interval at hand.

    >>> judge_interval(Interval(low=-0.4, high=0.9), 1.0).value
    'within'
    >>> judge_interval(Interval(low=-0.4, high=1.2), 1.0).value
    'not shown'
    >>> judge_interval(Interval(low=1.1, high=3.0), 1.0).value
    'beyond'
    """
    if interval.high <= limit:
        return Judgement.WITHIN
    return Judgement.BEYOND if interval.low > limit else Judgement.NOT_SHOWN


def judge_metric(metric: MetricResult, limit: float, max_abs_error: float) -> Judgement:
    """Judge the change of a metric; ``max_abs_error`` is that of the outputs.

    Outputs that are the same lose nothing, whatever the samples. An error that only the float model
    does not make is beyond any limit; a metric that is undefined on the samples shows nothing.
    """
    change = metric.change
    if max_abs_error == 0:
        return Judgement.WITHIN
    if change is None or change.loss is None:
        grows = change is not None and metric.unit == Unit.ERROR.value
        return Judgement.BEYOND if grows else Judgement.NOT_SHOWN
    return (
        Judgement.NOT_SHOWN if change.interval is None else judge_interval(change.interval, limit)
    )


def samples_to_decide(change: Change | ClassLoss, limit: float, samples: int) -> int | None:
    """Estimate how many samples would decide whether a loss is within a limit.

    Assumes that the loss stays, and that the interval's width falls with the square root of the
    number of samples, as a standard error does; with the number of samples itself if no sample is
    classified otherwise. None without an interval, if the loss is as large as the limit, if these
    samples decide, or if more than :data:`MAX_SAMPLES` are needed.

    >>> change = Change(loss=0.25, interval=Interval(low=-0.75, high=1.25), detectable=None)
    >>> samples_to_decide(change, limit=0.75, samples=400)
    1600
    """
    loss, interval = change.loss, change.interval
    if loss is None or interval is None:
        return None
    reach = interval.high - loss if loss < limit else loss - interval.low
    distance = abs(limit - loss)
    if distance * math.sqrt(MAX_SAMPLES) <= reach * math.sqrt(samples):
        return None
    needed = samples * (reach / distance) ** 2
    if isinstance(change, Change) and change.only_float == change.only_other == 0:
        needed = (samples + 2) * reach / distance
    if needed <= samples:
        return None
    digits = max(0, math.floor(math.log10(needed)) - 1)
    return int(math.ceil(needed / 10**digits) * 10**digits)
