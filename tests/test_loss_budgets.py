"""Budgets of what quantization may lose: passed, failed, or not shown by the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgepack.checks.loss_budgets import (
    judge_agreement,
    judge_class_drops,
    judge_drop,
    judge_sqnr,
)
from edgepack.config.budgets import Budgets, share_not_shown, strictest
from edgepack.core.errors import ConfigError
from edgepack.core.findings import Finding
from edgepack.evaluation.bootstrap import percentile_interval, sample_accuracy_losses
from edgepack.evaluation.closeness import Closeness
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.loss_judgement import Judgement, judge_metric, samples_to_decide
from edgepack.evaluation.results import Change, ClassLoss, Interval, MetricResult
from edgepack.metrics import Measure, find_metric

SOURCE = "the command"


def metric(change: Change | None, unit: str = "fraction") -> MetricResult:
    return MetricResult(
        name="accuracy",
        title="accuracy",
        unit=unit,
        is_more_better=True,
        value=0.9,
        interval=None,
        change=change,
    )


def closeness(change: Change | None = None, **fields: Any) -> dict[str, Closeness]:
    usual: dict[str, Any] = {
        "samples": 400,
        "metric": metric(change) if change else None,
        "class_losses": (),
        "agreement": 0.98,
        "sqnr_db": 30.0,
        "max_abs_error": 0.1,
        "collapse": None,
    }
    return {"int8 on tflm": Closeness(**usual | fields)}


def loses(loss: float, low: float, high: float) -> Change:
    return Change(loss=loss, interval=Interval(low=low, high=high), detectable=1.2)


def drop_finding(change: Change, **budgets: Any) -> Finding | None:
    return next(judge_drop(closeness(change), SOURCE, Budgets(max_drop=1, **budgets)), None)


def test_a_drop_within_the_limit_for_the_whole_interval_passes() -> None:
    assert drop_finding(loses(0.25, -0.5, 1.0)) is None


def test_a_drop_beyond_the_limit_for_the_whole_interval_fails() -> None:
    finding = drop_finding(loses(3.0, 1.1, 4.9))
    assert finding is not None
    assert not finding.is_undecided
    assert str(finding) == (
        "int8 on tflm loses 3.00 points (95% CI: 1.10 to 4.90), more than max_drop 1 of the"
        " command; find the layers that cause it with edgepack debug"
    )


def test_a_drop_that_the_samples_do_not_show_neither_passes_nor_fails() -> None:
    finding = drop_finding(loses(0.25, -0.75, 1.25))
    assert finding is not None
    assert finding.is_undecided
    assert not finding.is_note
    assert str(finding) == (
        "int8 on tflm loses 0.25 points (95% CI: -0.75 to 1.25): 400 samples cannot tell whether"
        " it is within max_drop 1 of the command; test on about 720 samples, or let it pass with"
        " --not-shown passes"
    )


@pytest.mark.parametrize(("handling", "is_note"), [("passes", True), ("fails", False)])
def test_what_is_not_shown_counts_as_requested(handling: str, is_note: bool) -> None:
    finding = drop_finding(loses(0.25, -0.75, 1.25), not_shown=handling)
    assert finding is not None
    assert not finding.is_undecided
    assert finding.is_note is is_note


def test_a_shown_drop_fails_even_if_what_is_not_shown_passes() -> None:
    finding = drop_finding(loses(3.0, 1.1, 4.9), not_shown="passes")
    assert finding is not None
    assert not finding.is_note
    assert not finding.is_undecided


def test_equal_outputs_pass_any_limit() -> None:
    change = Change(loss=0.0, interval=None, detectable=None)
    same = closeness(change, max_abs_error=0.0)
    assert not list(judge_drop(same, SOURCE, Budgets(max_drop=0)))
    (finding,) = judge_drop(closeness(change), SOURCE, Budgets(max_drop=0))
    assert finding.is_undecided


def test_an_error_of_the_quantized_model_only_is_beyond_any_limit() -> None:
    change = Change(loss=None, interval=None, detectable=None)
    assert judge_metric(metric(change, "error"), 99.0, 0.1) is Judgement.BEYOND


def test_an_undefined_metric_shows_nothing() -> None:
    change = Change(loss=None, interval=None, detectable=None)
    assert judge_metric(metric(change), 99.0, 0.1) is Judgement.NOT_SHOWN
    assert judge_metric(metric(None), 99.0, 0.1) is Judgement.NOT_SHOWN


def test_an_undefined_metric_is_decided_by_samples_of_every_class() -> None:
    scores = np.linspace(0.01, 0.9, 400)[:, np.newaxis]
    int8 = np.round(scores * 256) / 256

    def finding(labels: NDArray[np.int64]) -> Finding | None:
        measure = Measure(metric=find_metric("roc-auc"), wanted=labels)
        result = Evaluator(scores, (measure,)).result(int8, None)
        given = closeness(samples=len(labels), metric=result.metrics["roc-auc"])
        return next(judge_drop(given, SOURCE, Budgets(max_drop=5)), None)

    one_class = finding(np.zeros(400, np.int64))
    assert one_class is not None
    assert one_class.is_undecided
    assert str(one_class.cure).startswith("test on samples of every class, or with labels that")
    assert finding((scores[:, 0] > 0.5).astype(np.int64)) is None


def test_as_many_samples_as_advised_decide() -> None:
    """Of samples like these, twice as many halve the interval's square."""
    only_float, only_other, samples, limit = 5, 3, 400, 1.0

    def change(times: int) -> Change:
        losses = sample_accuracy_losses(only_float * times, only_other * times, samples * times)
        loss = 100 * (only_float - only_other) / samples
        return Change(loss=loss, interval=percentile_interval(100 * losses), detectable=None)

    assert judge_metric(metric(change(1)), limit, 0.1) is Judgement.NOT_SHOWN
    needed = samples_to_decide(change(1), limit, samples)
    assert needed is not None
    times = -(-needed // samples)
    assert judge_metric(metric(change(times)), limit, 0.1) is Judgement.WITHIN
    assert judge_metric(metric(change(times // 2)), limit, 0.1) is Judgement.NOT_SHOWN


@pytest.mark.parametrize("limit", [0.05, 0.1, 0.3, 0.7])
def test_no_change_at_all_needs_few_more_samples(limit: float) -> None:
    def change(samples: int) -> Change:
        interval = percentile_interval(100 * sample_accuracy_losses(0, 0, samples))
        return Change(loss=0.0, interval=interval, detectable=None, only_float=0, only_other=0)

    def judgement(samples: int) -> Judgement:
        return judge_metric(metric(change(samples)), limit, 0.1)

    needed = samples_to_decide(change(400), limit, 400)
    assert needed is not None
    assert judgement(needed) is Judgement.WITHIN
    assert judgement(int(0.9 * needed)) is Judgement.NOT_SHOWN


def test_every_class_is_held_to_its_limit() -> None:
    classes = (
        ClassLoss(name="cat", samples=40, loss=20.0, interval=Interval(low=8.0, high=33.0)),
        ClassLoss(name="dog", samples=40, loss=0.0, interval=Interval(low=-7.1, high=7.1)),
        ClassLoss(name="cow", samples=900, loss=0.0, interval=Interval(low=-0.3, high=0.3)),
    )
    failing, unsure = judge_class_drops(
        closeness(class_losses=classes), SOURCE, Budgets(max_class_drop=5)
    )
    assert failing.message == (
        "int8 on tflm loses 20.00 points of the class 'cat' (95% CI: 8.00 to 33.00), more than"
        " max_class_drop 5 of the command"
    )
    assert unsure.is_undecided
    assert (
        "loses nothing of the class 'dog' (95% CI: -7.10 to 7.10): 40 samples of this class"
        in unsure.message
    )
    assert unsure.cure is not None
    assert " samples of this class, or let it pass" in unsure.cure
    assert not list(
        judge_class_drops(closeness(class_losses=classes[2:]), SOURCE, Budgets(max_class_drop=5))
    )


def test_classes_of_equal_outputs_lose_nothing() -> None:
    few = (ClassLoss(name="cat", samples=2, loss=0.0, interval=Interval(low=-75.0, high=75.0)),)
    budgets = Budgets(max_class_drop=1)
    assert list(judge_class_drops(closeness(class_losses=few), SOURCE, budgets))
    equal = closeness(class_losses=few, max_abs_error=0.0)
    assert not list(judge_class_drops(equal, SOURCE, budgets))


def test_agreement_and_sqnr_have_limits() -> None:
    (finding,) = judge_agreement(closeness(), SOURCE, Budgets(min_agreement=98.5))
    assert finding.message == (
        "int8 on tflm agrees with float on 98.00%, less than min_agreement 98.5 of the command"
    )
    assert not list(judge_agreement(closeness(), SOURCE, Budgets(min_agreement=98)))
    (finding,) = judge_sqnr(closeness(), SOURCE, Budgets(min_sqnr=31))
    assert finding.message.startswith("int8 on tflm has an SQNR of 30.0 dB, less than min_sqnr 31")
    assert not list(judge_sqnr(closeness(), SOURCE, Budgets(min_sqnr=30)))


def test_outputs_without_classes_cannot_keep_an_agreement() -> None:
    budgets = Budgets(min_agreement=98)
    (finding,) = judge_agreement(closeness(agreement=None), SOURCE, budgets)
    assert "no output has class scores" in finding.message
    assert not list(judge_agreement({}, SOURCE, budgets))


def test_equal_outputs_have_any_sqnr_and_lost_ones_none() -> None:
    budgets = Budgets(min_sqnr=99)
    equal = closeness(sqnr_db=None, max_abs_error=0.0)
    assert not list(judge_sqnr(equal, SOURCE, budgets))
    assert list(judge_sqnr(closeness(sqnr_db=None, max_abs_error=1.0), SOURCE, budgets))


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ({"min_agreement": 0.98}, "min_agreement 0.98: must be a percentage .* such as 98$"),
        ({"min_agreement": 101}, "min_agreement 101: must be a percentage"),
        ({"min_sqnr": float("inf")}, "min_sqnr inf"),
        ({"max_class_drop": -1}, "max_class_drop -1"),
        ({"not_shown": "maybe"}, "not_shown 'maybe'"),
        ({"max_drop": "1"}, "max_drop must be a number, not '1'"),
        ({"max_drop": True}, "max_drop must be a number, not True"),
        ({"max_flash": 1.5}, "max_flash must be a whole number, not 1.5"),
    ],
)
def test_impossible_budgets_are_refused(budgets: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Budgets(**budgets)


def test_the_strictest_of_several_budgets_counts() -> None:
    both = strictest([Budgets(not_shown="passes", max_drop=1), Budgets(not_shown="fails")])
    assert (both.max_drop, both.not_shown) == (1, "fails")
    assert strictest([]) == Budgets()


def test_a_handling_counts_for_all_budgets_that_have_none() -> None:
    given = {
        "the command": Budgets(not_shown="passes"),
        "a.toml": Budgets(max_drop=1),
        "b": Budgets(max_drop=1, not_shown="fails"),
    }
    handlings = [each.not_shown for each in share_not_shown(given).values()]
    assert handlings == ["passes", "passes", "fails"]


def test_only_a_handling_that_nobody_chose_is_advised() -> None:
    change = loses(0.25, -0.75, 1.25)
    open_one, chosen = drop_finding(change), drop_finding(change, not_shown="fails")
    assert open_one is not None
    assert chosen is not None
    assert "--not-shown passes" in (open_one.cure or "")
    assert "--not-shown" not in (chosen.cure or "")
