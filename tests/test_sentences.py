"""Sentences say what the figures show, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgepack.evaluation.drop_sentences import change_sentence
from edgepack.evaluation.results import Change, Interval, MetricResult

SHOWN = Change(
    loss=3.2,
    interval=Interval(low=1.8, high=4.6),
    detectable=2.0,
    only_float=20,
    only_other=4,
    p_value=0.0002,
)
OPEN = Change(
    loss=0.3,
    interval=Interval(low=-0.4, high=1.0),
    detectable=1.16,
    only_float=4,
    only_other=3,
    p_value=0.69,
)


def sentence(change: Change | None, unit: str = "fraction", samples: int = 400) -> str:
    metric = MetricResult(
        name="x",
        title="x",
        unit=unit,
        is_more_better=True,
        value=0.9 if change else None,
        interval=None,
        change=change,
    )
    return change_sentence("int8", samples, metric)


def plain(change: Change) -> Change:
    """Without McNemar's test, as of all metrics but accuracies."""
    return replace(change, only_float=None, only_other=None, p_value=None)


def gain(change: Change) -> Change:
    assert change.loss is not None
    assert change.interval is not None
    ends = Interval(low=-change.interval.high, high=-change.interval.low)
    return replace(change, loss=-change.loss, interval=ends)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            SHOWN,
            "int8 loses 3.2 points (95 %: 1.8 to 4.6): the drop is real (McNemar: p = 0.0002)",
        ),
        (
            gain(SHOWN),
            "int8 gains 3.2 points (95 %: 1.8 to 4.6): the gain is real (McNemar: p = 0.0002)",
        ),
        (
            OPEN,
            (
                "int8 loses 0.3 points (95 %: -0.4 to 1.0): 400 samples do not show that the drop"
                " is real (McNemar: p = 0.69), and cannot show one below 1.2 points"
            ),
        ),
        (
            gain(OPEN),
            (
                "int8 gains 0.3 points (95 %: -0.4 to 1.0): 400 samples do not show that the gain"
                " is real (McNemar: p = 0.69), and cannot show a drop below 1.2 points"
            ),
        ),
        (
            replace(OPEN, detectable=None),
            (
                "int8 loses 0.3 points (95 %: -0.4 to 1.0): 400 samples do not show that the drop"
                " is real (McNemar: p = 0.69), and cannot show one of any size"
            ),
        ),
        (
            replace(SHOWN, p_value=0.057),
            (
                "int8 loses 3.2 points (95 %: 1.8 to 4.6): 400 samples do not settle whether the"
                " drop is real: the interval says so, McNemar's test does not (p = 0.057)"
            ),
        ),
        (
            replace(OPEN, loss=0.0, interval=Interval(low=-0.5, high=0.5), only_float=0),
            (
                "int8 loses nothing (95 %: -0.5 to 0.5): 400 samples cannot show a drop below 1.2"
                " points"
            ),
        ),
        (
            replace(OPEN, loss=0.0, interval=Interval(low=-0.5, high=0.5), only_float=3),
            (
                "int8 loses nothing (95 %: -0.5 to 0.5), 3 became wrong and as many right: 400"
                " samples cannot show a drop below 1.2 points"
            ),
        ),
        (
            replace(SHOWN, p_value=1e-9),
            "int8 loses 3.2 points (95 %: 1.8 to 4.6): the drop is real (McNemar: p < 0.0001)",
        ),
        (
            Change(loss=0.0, interval=None, detectable=None),
            "int8 loses nothing: 400 samples do not tell it apart from float",
        ),
        (
            Change(loss=5.0, interval=None, detectable=None),
            "int8 loses 5.0 points: 400 samples do not tell whether the drop is real",
        ),
        (None, "int8: the x is no number on 400 samples"),
        (
            Change(loss=None, interval=None, detectable=None),
            "int8: the x of the float model is no number, so no change can be told",
        ),
    ],
)
def test_points(change: Change | None, expected: str) -> None:
    assert sentence(change) == expected


@pytest.mark.parametrize(
    ("unit", "change", "expected"),
    [
        (
            "error",
            plain(SHOWN),
            "The error of int8 is 3.2 % larger (95 %: 1.8 to 4.6): the increase is real",
        ),
        (
            "error",
            plain(gain(OPEN)),
            (
                "The error of int8 is 0.3 % smaller (95 %: -0.4 to 1.0): 400 samples do not show"
                " that the decrease is real, and cannot show an increase below 1.2 %"
            ),
        ),
        (
            "error",
            Change(loss=None, interval=None, detectable=None),
            "int8 makes errors where the float model makes none: no share of it can be told",
        ),
        ("decibels", plain(SHOWN), "int8 loses 3.2 dB (95 %: 1.8 to 4.6): the drop is real"),
        ("plain", plain(SHOWN), "int8 is worse by 3.2 (95 %: 1.8 to 4.6): the loss is real"),
    ],
)
def test_units(unit: str, change: Change, expected: str) -> None:
    assert sentence(change, unit) == expected


def test_digits_follow_the_interval() -> None:
    narrow = replace(plain(OPEN), loss=0.031, interval=Interval(low=-0.041, high=0.103))
    assert "0.03 points (95 %: -0.04 to 0.10)" in sentence(narrow, samples=10_000)
    assert "10,000 samples" in sentence(narrow, samples=10_000)
    small = replace(plain(OPEN), loss=0.04)
    assert "0.04 points (95 %: -0.40 to 1.00)" in sentence(small)
    zero = replace(plain(OPEN), interval=Interval(low=-0.04, high=2.0))
    assert "(95 %: 0.0 to 2.0)" in sentence(zero)


def test_one_sample() -> None:
    told = sentence(replace(OPEN, detectable=None), samples=1)
    assert "1 sample does not show" in told


def test_vast_numbers_are_written_short() -> None:
    vast = replace(SHOWN, loss=3.2e30, interval=Interval(low=1e30, high=4e40))
    assert "3.2e+30" in sentence(vast)
