"""Sentences on the change of a metric, for all units and outcomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgepack.evaluation.drop_sentences import change_sentence
from edgepack.evaluation.results import Change, Interval, MetricResult

SIGNIFICANT = Change(
    loss=3.2,
    interval=Interval(low=1.8, high=4.6),
    detectable=2.0,
    only_float=20,
    only_other=4,
    p_value=0.0002,
)
INCONCLUSIVE = Change(
    loss=0.3,
    interval=Interval(low=-0.44, high=0.97),
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


def no_mcnemar(change: Change) -> Change:
    """Remove McNemar's test, which only accuracies have."""
    return replace(change, only_float=None, only_other=None, p_value=None)


def gain(change: Change) -> Change:
    assert change.loss is not None
    assert change.interval is not None
    negated = Interval(low=-change.interval.high, high=-change.interval.low)
    return replace(change, loss=-change.loss, interval=negated)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            SIGNIFICANT,
            "int8 loses 3.20 points (95% CI: 1.80 to 4.60): the drop is real (McNemar: p = 0.0002)",
        ),
        (
            gain(SIGNIFICANT),
            "int8 gains 3.20 points (95% CI: 1.80 to 4.60): the gain is real (McNemar: p = 0.0002)",
        ),
        (
            INCONCLUSIVE,
            (
                "int8 loses 0.30 points (95% CI: -0.44 to 0.97): 400 samples do not show that the"
                " drop is real (McNemar: p = 0.69), and cannot show one below 1.16 points"
            ),
        ),
        (
            gain(INCONCLUSIVE),
            (
                "int8 gains 0.30 points (95% CI: -0.44 to 0.97): 400 samples do not show that the"
                " gain is real (McNemar: p = 0.69), and cannot show a drop below 1.16 points"
            ),
        ),
        (
            replace(INCONCLUSIVE, detectable=None),
            (
                "int8 loses 0.30 points (95% CI: -0.44 to 0.97): 400 samples do not show that the"
                " drop is real (McNemar: p = 0.69), and cannot show one of any size"
            ),
        ),
        (
            replace(SIGNIFICANT, p_value=0.057),
            (
                "int8 loses 3.20 points (95% CI: 1.80 to 4.60): 400 samples do not settle whether"
                " the drop is real: the interval excludes 0, but McNemar's test is not significant"
                " (p = 0.057)"
            ),
        ),
        (
            replace(INCONCLUSIVE, loss=0.0, interval=Interval(low=-0.5, high=0.5), only_float=0),
            (
                "int8 loses nothing (95% CI: -0.50 to 0.50): 400 samples cannot show a drop below"
                " 1.16 points"
            ),
        ),
        (
            replace(INCONCLUSIVE, loss=0.0, interval=Interval(low=-0.5, high=0.5), only_float=3),
            (
                "int8 loses nothing (95% CI: -0.50 to 0.50; 3 samples became wrong and 3"
                " right): 400 samples cannot show a drop below 1.16 points"
            ),
        ),
        (
            replace(SIGNIFICANT, p_value=1e-9),
            "int8 loses 3.20 points (95% CI: 1.80 to 4.60): the drop is real (McNemar: p < 0.0001)",
        ),
        (
            Change(loss=0.0, interval=None, detectable=None),
            "int8 loses nothing: 400 samples do not distinguish it from float",
        ),
        (
            Change(loss=5.0, interval=None, detectable=None),
            "int8 loses 5.00 points: 400 samples do not show whether the drop is real",
        ),
        (None, "int8: the x is undefined on 400 samples"),
        (
            Change(loss=None, interval=None, detectable=None),
            "int8: the x of the float model is undefined, so the change is unknown",
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
            no_mcnemar(SIGNIFICANT),
            "the error of int8 is 3.20% larger (95% CI: 1.80 to 4.60): the increase is real",
        ),
        (
            "error",
            no_mcnemar(gain(INCONCLUSIVE)),
            (
                "the error of int8 is 0.30% smaller (95% CI: -0.44 to 0.97): 400 samples do not"
                " show that the decrease is real, and cannot show an increase below 1.16%"
            ),
        ),
        (
            "error",
            Change(loss=None, interval=None, detectable=None),
            "int8 makes errors and the float model none, so there is no relative change",
        ),
        (
            "decibels",
            no_mcnemar(SIGNIFICANT),
            "int8 loses 3.20 dB (95% CI: 1.80 to 4.60): the drop is real",
        ),
        (
            "plain",
            no_mcnemar(SIGNIFICANT),
            "int8 is worse by 3.20 (95% CI: 1.80 to 4.60): the loss is real",
        ),
    ],
)
def test_units(unit: str, change: Change, expected: str) -> None:
    assert sentence(change, unit) == expected


def test_digits_follow_the_interval() -> None:
    narrow = replace(
        no_mcnemar(INCONCLUSIVE), loss=0.031, interval=Interval(low=-0.041, high=0.103)
    )
    assert "0.03 points (95% CI: -0.04 to 0.10)" in sentence(narrow, samples=10_000)
    assert "10,000 samples" in sentence(narrow, samples=10_000)
    small = replace(no_mcnemar(INCONCLUSIVE), loss=0.04)
    assert "0.04 points (95% CI: -0.44 to 0.97)" in sentence(small)
    zero = replace(no_mcnemar(INCONCLUSIVE), interval=Interval(low=-0.004, high=2.0))
    assert "(95% CI: 0.00 to 2.00)" in sentence(zero)


def test_one_sample() -> None:
    text = sentence(replace(INCONCLUSIVE, detectable=None), samples=1)
    assert "1 sample does not show" in text


def test_vast_numbers_are_written_short() -> None:
    vast = replace(SIGNIFICANT, loss=3.2e30, interval=Interval(low=1e30, high=4e40))
    assert "3.2e+30" in sentence(vast)
