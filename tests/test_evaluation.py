"""Evaluation of model outputs: metrics, changes against the float model, and predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluated_outputs import ACCURACY, INT8, MSE, R2, metric, scores

from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.results import MetricResult, OutputResult
from edgepack.evaluation.significance import mcnemar_p_value, wilson_interval
from edgepack.metrics import find_metric, predicted_classes
from edgepack.metrics.metric import Family, Measure, Metric
from edgepack.quantization.affine import quantize

Array = np.ndarray


def evaluated_metric(
    float_outputs: Array, outputs: Array, metric: Metric, targets: Array
) -> MetricResult:
    evaluator = Evaluator(float_outputs, [Measure(metric=metric, wanted=targets)], ())
    return evaluator.result(outputs, None).metrics[metric.name]


def evaluated(samples: int) -> tuple[OutputResult, OutputResult]:
    float_outputs = scores(samples)
    labels = np.random.default_rng(1).integers(0, 3, samples)
    labels[: samples * 3 // 4] = float_outputs.argmax(1)[: samples * 3 // 4]
    evaluator = Evaluator(float_outputs, [Measure(metric=ACCURACY, wanted=labels)], ("a", "b", "c"))
    noisy = float_outputs + np.random.default_rng(2).normal(scale=0.1, size=float_outputs.shape)
    return evaluator.float_result(), evaluator.result(quantize(noisy, INT8), INT8)


def test_a_result_is_complete_and_consistent() -> None:
    float_result, result = evaluated(400)
    float_metric = float_result.metrics["accuracy"]
    assert float_metric.change is None
    assert float_result.distance is None
    assert float_metric.value is not None
    assert float_metric.interval == wilson_interval(round(400 * float_metric.value), 400)
    metric_result = result.metrics["accuracy"]
    change = metric_result.change
    assert change is not None
    assert metric_result.value is not None
    assert change.loss == pytest.approx(100 * (float_metric.value - metric_result.value))
    assert change.only_float is not None
    assert change.only_other is not None
    assert change.only_float - change.only_other == round(
        400 * (float_metric.value - metric_result.value)
    )
    assert change.p_value == mcnemar_p_value(change.only_float, change.only_other)
    assert change.interval is not None
    assert change.detectable is not None
    assert change.interval.low < change.loss < change.interval.high
    assert sum(count for *_, count in result.confusion) == 400
    correct = sum(count for label, predicted, count in result.confusion if label == predicted)
    assert correct / 400 == metric_result.value
    assert result.worst[0].of_float.label != result.worst[0].of_other.label
    assert result.worst[0].wanted in ("a", "b", "c")
    assert evaluated(400) == (float_result, result)  # deterministic


@pytest.mark.parametrize("samples", [1, 2])
def test_few_samples_show_no_change(samples: int) -> None:
    _, result = evaluated(samples)
    change = result.metrics["accuracy"].change
    assert change is not None
    assert change.detectable is None
    assert not change.is_shown


def test_a_loss_is_in_percent_of_an_error_and_points_of_a_fraction() -> None:
    random = np.random.default_rng(4)
    targets = random.normal(size=(300, 1))
    float_outputs = targets + random.normal(scale=0.2, size=targets.shape)
    outputs = float_outputs + random.normal(scale=0.1, size=targets.shape)
    result = evaluated_metric(float_outputs, outputs, MSE, targets)
    change = result.change
    errors = [np.square(each - targets).mean() for each in (float_outputs, outputs)]
    assert change is not None
    assert change.loss == pytest.approx(100 * (errors[1] / errors[0] - 1))
    assert change.interval is not None
    assert change.interval.low < change.loss < change.interval.high
    assert change.p_value is None
    gain = evaluated_metric(outputs, float_outputs, MSE, targets).change
    assert gain is not None
    assert gain.loss is not None
    assert gain.loss < 0
    fraction_change = evaluated_metric(float_outputs, outputs, R2, targets[:, 0:1]).change
    assert fraction_change is not None
    assert fraction_change.loss == pytest.approx(100 * (errors[1] - errors[0]) / targets.var())


class Lazy:
    """Returns rows when sliced, but is not an array."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows

    def __getitem__(self, rows: slice) -> Array:
        return self._rows[rows]


@pytest.mark.usefixtures("small_blocks")
def test_targets_may_be_read_by_slices() -> None:
    targets = np.random.default_rng(4).normal(size=(300, 1))
    lazy: Any = Lazy(targets)
    assert evaluated_metric(targets + 1, targets + 2, MSE, lazy) == evaluated_metric(
        targets + 1, targets + 2, MSE, targets
    )


def test_metrics_with_the_same_rows_are_resampled_as_if_alone() -> None:
    def pairs(outputs: Array, targets: Array, boundary: float) -> Array:
        return np.stack([targets, predicted_classes(outputs, boundary)], axis=1)

    def right(rows: Array, weights: Array) -> Array:
        return weights @ (rows[:, 0] == rows[:, 1]) / weights.sum(axis=1)

    def wrong(rows: Array, weights: Array) -> Array:
        return 1 - right(rows, weights)

    float_outputs, labels = scores(200), np.random.default_rng(1).integers(0, 3, 200)
    metrics = [metric(pairs, value, name=value.__name__) for value in (right, wrong)]
    measures = [Measure(metric=each, wanted=labels) for each in metrics]
    outputs = scores(200, seed=9)
    together = Evaluator(float_outputs, measures, ()).result(outputs, None).metrics
    assert list(together) == ["right", "wrong"]
    for measure in measures:
        name = measure.metric.name
        alone = Evaluator(float_outputs, [measure], ()).result(outputs, None).metrics[name]
        assert together[name] == alone


def test_changes_from_an_error_of_zero() -> None:
    targets = np.zeros((20, 1))
    from_zero = evaluated_metric(
        targets, targets + np.arange(20.0)[:, np.newaxis], MSE, targets
    ).change
    assert from_zero is not None
    assert (from_zero.loss, from_zero.interval, from_zero.detectable) == (None, None, None)
    unchanged = evaluated_metric(targets, targets, MSE, targets).change
    assert unchanged is not None
    assert (unchanged.loss, unchanged.interval, unchanged.detectable) == (0.0, None, None)


def test_undefined_values_and_changes_are_none() -> None:
    nan = metric(lambda outputs, *_: outputs[:, 0] * np.nan, name="nan", family=Family.REGRESSION)
    result = evaluated_metric(np.ones((5, 1)), np.ones((5, 1)), nan, np.ones((5, 1)))
    assert (result.value, result.interval, result.change) == (None, None, None)
    float_outputs, outputs = np.ones((5, 1)), np.full((5, 1), 2.0)
    undefined_for_float = metric(
        lambda outputs, *_: np.where(outputs[:, 0] == 1, np.nan, 1.0),
        name="float",
        family=Family.REGRESSION,
    )
    change = evaluated_metric(float_outputs, outputs, undefined_for_float, float_outputs).change
    assert change is not None
    assert change.loss is None


def test_a_constant_output_and_one_class() -> None:
    float_outputs = np.tile(np.array([[0.2, 0.8]], np.float32), (20, 1))
    evaluator = Evaluator(
        float_outputs, [Measure(metric=ACCURACY, wanted=np.ones(20, int))], ("no", "yes")
    )
    result = evaluator.result(float_outputs.copy(), None)
    assert [each.roc_auc for each in result.classes] == [None, None]
    assert [each.recall for each in result.classes] == [None, 1.0]
    assert result.worst == ()
    change = result.metrics["accuracy"].change
    assert change is not None
    assert (change.loss, change.p_value, change.is_shown) == (0.0, 1.0, False)


def test_nan_in_the_float_outputs_is_ranked_worst() -> None:
    float_outputs = scores(20)
    float_outputs[3] = np.nan
    result = Evaluator(float_outputs, (), ()).result(scores(20), None)
    assert result.distance is not None
    assert result.worst[0].index == 3


@pytest.mark.parametrize(
    ("outputs", "has_classes"),
    [
        (scores(9), True),
        (scores(9)[:, :1], True),
        (scores(9)[:, :1] * 4 - 1, False),
        (scores(9) * 4 - 2, True),  # logits
        (scores(9) * [1, 300, 300], False),  # values of several units
        (scores(9) * [0, 4, 4] - 2, True),  # logits of a class that is never predicted
        (np.ones((9, 2, 2)), False),
        (np.ones(9), False),
    ],
)
def test_without_labels_outputs_are_still_compared(outputs: Array, has_classes: bool) -> None:
    evaluator = Evaluator(outputs, (), ())
    assert evaluator.float_result() == OutputResult(metrics={})
    result = evaluator.result(outputs * 0.9, None)
    assert result.metrics == {}
    assert result.distance is not None
    assert (result.distance.agreement is not None) == has_classes


def test_class_0_of_a_binary_classifier_has_the_complementary_score() -> None:
    float_outputs, outputs = np.array([[0.9], [0.2]]), np.array([[0.25], [0.3]])
    worst = Evaluator(float_outputs, (), ("no", "yes")).result(outputs, None).worst
    assert (worst[0].of_float.label, worst[0].of_float.score) == ("yes", 0.9)
    assert (worst[0].of_other.label, worst[0].of_other.score) == ("no", 0.75)


def test_no_loss_on_samples_that_hardly_define_the_metric_shows_nothing() -> None:
    """In a tenth of the resamples neither positive is drawn; in the others much is lost or won."""
    labels = np.repeat([0, 1], [18, 2])
    negatives = np.linspace(0.1, 0.8, 18)
    one_way, other_way = (
        np.concatenate([negatives, positives])[:, np.newaxis]
        for positives in ([0.9, 0.05], [0.05, 0.9])
    )
    change = evaluated_metric(one_way, other_way, find_metric("roc-auc"), labels).change
    assert change is not None
    assert (change.loss, change.interval) == (0.0, None)
