"""Whether a drop is real, in sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from edgepack.evaluation.results import Change, Interval, MetricResult
from edgepack.metrics.metric import Unit

LEAST_P = 0.0001
"""A smaller p is told as smaller than this."""

_MOST_DECIMALS = 9


@dataclass(frozen=True, kw_only=True)
class _Words:
    """How a unit is told: what happens by how much, what that is called, the unit."""

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
        worse="The error of {name} is {amount} larger",
        better="The error of {name} is {amount} smaller",
        loss="increase",
        gain="decrease",
        unit=" %",
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
    """Say what a model loses, whether that is real, and what so many samples cannot show.

    ``name`` is the model's, ``metric`` of it and not of the float model. What is not shown may be
    there all the same: a loss of the least detectable size is missed by one test set in five.

    >>> change = Change(loss=0.3, interval=Interval(low=-0.44, high=0.97), detectable=1.16,
    ...                 only_float=4, only_other=3, p_value=0.69)
    >>> metric = MetricResult(name="accuracy", title="accuracy", unit="fraction",
    ...                       is_more_better=True, value=0.9, interval=None, change=change)
    >>> change_sentence("int8", 400, metric)  # doctest: +NORMALIZE_WHITESPACE
    'int8 loses 0.3 points (95 %: -0.4 to 1.0): 400 samples do not show that the drop is real
    (McNemar: p = 0.69), and cannot show one below 1.2 points'
    """
    change = metric.change
    if metric.value is None or change is None:
        return f"{name}: the {metric.title} is no number on {samples_in_words(samples)}"
    if change.loss is None:
        return _untold(name, metric)
    words = _WORDS[Unit(metric.unit)]
    if change.loss == 0:
        return _nothing_lost(name, samples, change, words)
    return _changed(name, samples, change, words)


def _untold(name: str, metric: MetricResult) -> str:
    if metric.unit == Unit.ERROR.value:
        return f"{name} makes errors where the float model makes none: no share of it can be told"
    return f"{name}: the {metric.title} of the float model is no number, so no change can be told"


def _changed(name: str, samples: int, change: Change, words: _Words) -> str:
    assert change.loss is not None  # noqa: S101 (the caller looked)
    is_loss = change.loss > 0
    decimals = decimals_of(change)
    amount = _number(abs(change.loss), decimals) + words.unit
    told = (words.worse if is_loss else words.better).format(name=name, amount=amount)
    noun = words.loss if is_loss else words.gain
    do = _do(samples)
    if change.interval is None:
        return f"{told}: {samples_in_words(samples)} {do} not tell whether the {noun} is real"
    said = f"{told} ({_ends(change.interval, decimals, is_loss=is_loss)})"
    if change.is_real:
        return f"{said}: the {noun} is real{_p(change)}"
    if change.is_shown:
        return (
            f"{said}: {samples_in_words(samples)} {do} not settle whether the {noun} is real: the"
            f" interval says so, McNemar's test does not (p {_p_value(change)})"
        )
    return (
        f"{said}: {samples_in_words(samples)} {do} not show that the {noun} is real{_p(change)}"
        f", and {_limit(change, decimals, words, 'one' if is_loss else _a(words.loss))}"
    )


def _nothing_lost(name: str, samples: int, change: Change, words: _Words) -> str:
    told = f"{name} loses nothing"
    if change.interval is None:
        return f"{told}: {samples_in_words(samples)} {_do(samples)} not tell it apart from float"
    decimals = decimals_of(change)
    swapped = ""
    if change.only_float:
        swapped = f", {change.only_float:,} became wrong and as many right"
    return (
        f"{told} ({_ends(change.interval, decimals, is_loss=True)}){swapped}:"
        f" {samples_in_words(samples)} {_limit(change, decimals, words, _a(words.loss))}"
    )


def _limit(change: Change, decimals: int, words: _Words, noun: str) -> str:
    if change.detectable is None:
        return f"cannot show {noun} of any size"
    return f"cannot show {noun} below {_number(change.detectable, decimals)}{words.unit}"


def _ends(interval: Interval, decimals: int, *, is_loss: bool) -> str:
    """Tell the interval, of what is lost or else of what is gained."""
    ends = (interval.low, interval.high) if is_loss else (-interval.high, -interval.low)
    low, high = (_number(end, decimals) for end in ends)
    return f"95 %: {low} to {high}"


def _p(change: Change) -> str:
    return "" if change.p_value is None else f" (McNemar: p {_p_value(change)})"


def _p_value(change: Change) -> str:
    assert change.p_value is not None  # noqa: S101 (the caller looked)
    return f"= {change.p_value:.2g}" if change.p_value >= LEAST_P else f"< {LEAST_P}"


_VAST = 1e15
"""Nobody reads so many digits."""


def decimals_of(change: Change) -> int:
    """Choose so many decimals that the interval's width shows two digits, and one at least.

    A loss that would be 0 then gets one more.
    """
    loss = abs(change.loss or 0.0)
    width = loss if change.interval is None else change.interval.high - change.interval.low
    if not width > 0:
        return 1
    decimals = max(1, 1 - math.floor(math.log10(width)))
    is_hidden = loss > 0 and float(_number(loss, decimals).replace(",", "")) == 0
    return min(decimals + is_hidden, _MOST_DECIMALS)


def _number(value: float, decimals: int) -> str:
    """Write a number, halves away from zero as people round, without a minus before 0."""
    if abs(value) >= _VAST:
        return f"{value:.3g}"
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded + 0:,.{decimals}f}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _do(samples: int) -> str:
    return "does" if samples == 1 else "do"


def samples_in_words(many: int) -> str:
    """Write how many samples.

    >>> samples_in_words(1), samples_in_words(1000)
    ('1 sample', '1,000 samples')
    """
    return "1 sample" if many == 1 else f"{many:,} samples"
