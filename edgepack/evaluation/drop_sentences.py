"""Sentences on the change of a metric, and on whether it is statistically significant."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from edgepack.core.wording import counted
from edgepack.evaluation.results import Change, ClassLoss, Interval, MetricResult
from edgepack.metrics.metric import Unit

MIN_P = 0.0001
"""A smaller p-value is reported as '< 0.0001'."""

_MIN_DECIMALS, _MAX_DECIMALS, _MAX_DIGITS = 2, 9, 6


@dataclass(frozen=True, kw_only=True)
class _Words:
    """Wording for a unit: templates of clauses, nouns for the change, and the unit itself."""

    worse: str
    better: str
    loss: str
    gain: str
    unit: str


_POINTS = _Words(
    worse="{name} loses {amount}",
    better="{name} gains {amount}",
    loss="drop",
    gain="gain",
    unit=" points",
)
_WORDS = {
    Unit.FRACTION: _POINTS,
    Unit.DECIBELS: replace(_POINTS, unit=" dB"),
    Unit.ERROR: _Words(
        worse="the error of {name} is {amount} larger",
        better="the error of {name} is {amount} smaller",
        loss="increase",
        gain="decrease",
        unit="%",
    ),
    Unit.PLAIN: _Words(
        worse="{name} is worse by {amount}",
        better="{name} is better by {amount}",
        loss="loss",
        gain="gain",
        unit="",
    ),
}


def change_sentence(name: str, samples: int, metric: MetricResult) -> str:
    """Describe what a model loses, whether that is real, and what the samples cannot show.

    ``name`` and ``metric`` are those of a model other than the float model. A loss that is not
    shown may still exist: one of the smallest detectable size is missed by one test set in five.

    >>> change = Change(loss=0.3, interval=Interval(low=-0.44, high=0.97), detectable=1.16,
    ...                 only_float=4, only_other=3, p_value=0.69)
    >>> metric = MetricResult(name="accuracy", title="accuracy", unit="fraction",
    ...                       is_more_better=True, value=0.9, interval=None, change=change)
    >>> change_sentence("int8", 400, metric)  # doctest: +NORMALIZE_WHITESPACE
    'int8 loses 0.30 points (95% CI: -0.44 to 0.97): 400 samples do not show that the drop is real
    (McNemar: p = 0.69), and cannot show one below 1.16 points'
    """
    change = metric.change
    if metric.value is None or change is None:
        return f"{name}: the {metric.title} is undefined on {counted(samples, 'sample')}"
    if change.loss is None:
        return _no_change(name, metric)
    words = _WORDS[Unit(metric.unit)]
    if change.loss == 0:
        return _nothing_lost(name, samples, change, words)
    return _changed(name, samples, change, words)


def loss_clause(name: str, metric: MetricResult) -> str:
    """Describe what a model loses, with the confidence interval, as a clause.

    >>> change = Change(loss=0.3, interval=Interval(low=-0.44, high=0.97), detectable=1.16)
    >>> metric = MetricResult(name="accuracy", title="accuracy", unit="fraction",
    ...                       is_more_better=True, value=0.9, interval=None, change=change)
    >>> loss_clause("int8", metric)
    'int8 loses 0.30 points (95% CI: -0.44 to 0.97)'
    """
    change = metric.change
    if metric.value is None or change is None:
        return f"{name}: the {metric.title} is undefined on these samples"
    if change.loss is None:
        return _no_change(name, metric)
    return _clause(name, change, _WORDS[Unit(metric.unit)])


def class_loss_clause(name: str, loss: ClassLoss) -> str:
    """Describe what a model loses of a class, as a clause.

    >>> loss = ClassLoss(name="cat", samples=40, loss=5.0, interval=Interval(low=-4.8, high=16.7))
    >>> class_loss_clause("int8", loss)
    "int8 loses 5.00 points of the class 'cat' (95% CI: -4.80 to 16.70)"
    """
    verb = "gains" if loss.loss < 0 else "loses"
    amount = f"{abs(loss.loss):.2f} points" if loss.loss else "nothing"
    interval = _interval(loss.interval, _MIN_DECIMALS, is_loss=loss.loss >= 0)
    return f"{name} {verb} {amount} of the class {loss.name!r} ({interval})"


def _clause(name: str, change: Change, words: _Words) -> str:
    assert change.loss is not None  # noqa: S101 (the caller looked)
    decimals = decimals_of(change)
    is_loss = change.loss > 0
    if change.loss == 0:
        clause = f"{name} loses nothing"
    else:
        amount = _number(abs(change.loss), decimals) + words.unit
        clause = (words.worse if is_loss else words.better).format(name=name, amount=amount)
    if change.interval is None:
        return clause
    is_loss = change.loss >= 0
    return f"{clause} ({_interval(change.interval, decimals, is_loss=is_loss)})"


def _no_change(name: str, metric: MetricResult) -> str:
    if metric.unit == Unit.ERROR.value:
        return f"{name} makes errors and the float model none, so there is no relative change"
    return f"{name}: the {metric.title} of the float model is undefined, so the change is unknown"


def _changed(name: str, samples: int, change: Change, words: _Words) -> str:
    assert change.loss is not None  # noqa: S101 (the caller looked)
    is_loss = change.loss > 0
    clause = _clause(name, change, words)
    noun = words.loss if is_loss else words.gain
    do = _do(samples)
    if change.interval is None:
        return f"{clause}: {counted(samples, 'sample')} {do} not show whether the {noun} is real"
    if change.is_real:
        return f"{clause}: the {noun} is real{_mcnemar(change)}"
    if change.is_shown:
        return (
            f"{clause}: {counted(samples, 'sample')} {do} not settle whether the {noun} is real:"
            " the interval excludes 0, but McNemar's test is not significant"
            f" (p {_p_value(change)})"
        )
    limit = _limit(change, decimals_of(change), words, "one" if is_loss else _a(words.loss))
    return (
        f"{clause}: {counted(samples, 'sample')} {do} not show that the {noun} is"
        f" real{_mcnemar(change)}, and {limit}"
    )


def _nothing_lost(name: str, samples: int, change: Change, words: _Words) -> str:
    clause = f"{name} loses nothing"
    if change.interval is None:
        do = _do(samples)
        return f"{clause}: {counted(samples, 'sample')} {do} not distinguish it from float"
    decimals = decimals_of(change)
    swapped = ""
    if change.only_float:
        swapped = (
            f"; {counted(change.only_float, 'sample')} became wrong and {change.only_float:,} right"
        )
    return (
        f"{clause} ({_interval(change.interval, decimals, is_loss=True)}{swapped}):"
        f" {counted(samples, 'sample')} {_limit(change, decimals, words, _a(words.loss))}"
    )


def _limit(change: Change, decimals: int, words: _Words, noun: str) -> str:
    if change.detectable is None:
        return f"cannot show {noun} of any size"
    return f"cannot show {noun} below {_number(change.detectable, decimals)}{words.unit}"


def _interval(interval: Interval, decimals: int, *, is_loss: bool) -> str:
    """Format the confidence interval of the loss, or with opposite signs of the gain."""
    bounds = (interval.low, interval.high) if is_loss else (-interval.high, -interval.low)
    low, high = (_number(bound, decimals) for bound in bounds)
    return f"95% CI: {low} to {high}"


def _mcnemar(change: Change) -> str:
    return "" if change.p_value is None else f" (McNemar: p {_p_value(change)})"


def _p_value(change: Change) -> str:
    assert change.p_value is not None  # noqa: S101 (the caller looked)
    return f"= {change.p_value:.2g}" if change.p_value >= MIN_P else f"< {MIN_P}"


_MIN_SCIENTIFIC = 1e6
"""Numbers of this size or more are written with an exponent."""


def decimals_of(change: Change) -> int:
    """Choose the number of decimals: two significant digits of the interval's width, at least 2.

    At most six digits of the loss, and one more decimal if it would round to 0.
    """
    loss = abs(change.loss or 0.0)
    width = loss if change.interval is None else change.interval.high - change.interval.low
    if not width > 0:
        return _MIN_DECIMALS
    digits = _MAX_DIGITS - 1 - math.floor(math.log10(loss)) if loss else _MAX_DECIMALS
    decimals = max(_MIN_DECIMALS, min(1 - math.floor(math.log10(width)), digits))
    is_hidden = loss > 0 and float(_number(loss, decimals).replace(",", "")) == 0
    return min(decimals + is_hidden, _MAX_DECIMALS)


def _number(value: float, decimals: int) -> str:
    """Format a number, rounding halves away from zero, without a minus sign before 0."""
    if abs(value) >= _MIN_SCIENTIFIC:
        return f"{value:.3g}"
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded + 0:,.{decimals}f}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _do(samples: int) -> str:
    return "does" if samples == 1 else "do"
