"""What a comparison of outputs finds: metrics, distances, classes, the worst samples."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

from edgepack.evaluation.deviation import deviation
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.kl_divergence import ValueHistogram, kl_divergences
from edgepack.evaluation.output_distance import MAX_WORST_SAMPLES, output_distance
from edgepack.evaluation.output_noise import OutputKind
from edgepack.evaluation.paired_outputs import sqnr_db
from edgepack.evaluation.per_class import class_results
from edgepack.evaluation.results import MetricResult, OutputResult
from edgepack.evaluation.significance import mcnemar_p_value, wilson_interval
from edgepack.metrics import predicted_classes
from edgepack.metrics.metric import Family, Measure, Metric, Unit, weighted_mean
from edgepack.quantization.affine import dequantize, quantize
from edgepack.runtimes import run_parts
from edgepack.storage.arrays import blocks, extremes, load_array, save_array, take
from edgepack.tflite.graph import QuantParams, Tensor

Array = np.ndarray


def metric(
    condense: Callable[[Array, Array, float], Array],
    value: Callable[[Array, Array], Array] = weighted_mean,
    **fields: Any,
) -> Metric:
    return Metric(
        **{
            "name": "accuracy",
            "title": "accuracy",
            "family": Family.CLASSIFICATION,
            "unit": Unit.FRACTION,
            "is_more_better": True,
            "wanted": lambda _dataset, _output: np.zeros(1),
            "condense": condense,
            "value": value,
            **fields,
        }
    )


def r2(rows: Array, weights: Array) -> Array:
    total = weights.sum(axis=1)
    mean = weights @ rows[:, 1] / total
    spread = weights @ np.square(rows[:, 1]) - total * mean**2
    return 1 - weights @ rows[:, 0] / spread


ACCURACY = metric(lambda outputs, wanted, boundary: predicted_classes(outputs, boundary) == wanted)
MSE = metric(
    lambda outputs, wanted, _: np.square(outputs - wanted).mean(axis=1),
    name="mse",
    family=Family.REGRESSION,
    unit=Unit.ERROR,
    is_more_better=False,
)
R2 = metric(
    lambda outputs, wanted, _: np.column_stack([np.square(outputs - wanted), wanted]),
    r2,
    name="r2",
    family=Family.REGRESSION,
)
INT8 = Tensor(
    name="y",
    shape=(1, 3),
    dtype="int8",
    quant=QuantParams(scale=(1 / 256,), zero_point=(-128,)),
    data=b"",
)


def scores(samples: int, count: int = 3, seed: int = 0) -> Array:
    logits = np.random.default_rng(seed).normal(scale=2, size=(samples, count))
    return softmax(logits, axis=1).astype(np.float32)


def measured(outputs: Array, other: Array, measure: Metric, wanted: Array) -> MetricResult:
    evaluator = Evaluator(outputs, [Measure(metric=measure, wanted=wanted)], ())
    return evaluator.result(other, None).metrics[measure.name]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 100)


# Blocks


@pytest.mark.usefixtures("small_blocks")
def test_blocks_are_aligned_and_read_past_the_map(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(20, 3)
    save_array(tmp_path / "a.npy", values)
    mapped = load_array(tmp_path / "a.npy")
    found = list(blocks(mapped, np.arange(20)))
    assert [rows for rows, _ in found][:2] == [slice(0, 3), slice(3, 6)]
    assert not any(isinstance(block, np.memmap) for _, (block, _) in found)
    np.testing.assert_array_equal(np.concatenate([block for _, (block, _) in found]), values)
    np.testing.assert_array_equal(np.concatenate([each for _, (_, each) in found]), np.arange(20))


def test_a_part_of_a_map_is_taken_through_it(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(20, 3)
    for name, array in (("c", values), ("fortran", np.asfortranarray(values))):
        save_array(tmp_path / f"{name}.npy", array)
        mapped = load_array(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(take(mapped, slice(4, 6)), values[4:6])
        np.testing.assert_array_equal(take(mapped[3:], slice(1, 3)), values[4:6])
        np.testing.assert_array_equal(
            take(mapped.reshape(10, 6), slice(2, 3)), values[4:6].reshape(1, 6)
        )


@pytest.mark.usefixtures("small_blocks")
def test_extremes_are_found_by_blocks() -> None:
    values = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    assert extremes(values).tolist() == [values.min(), values.max()]
    values[77, 1] = np.nan
    assert np.isnan(extremes(values)).all()


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_deviations_are_the_same_whatever_the_blocks(
    dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    made, reference = (random.integers(-9, 9, (50, 4)).astype(dtype) for _ in range(2))
    at_once = deviation(made, reference, INT8, 0.5)
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 100)
    assert deviation(made, reference, INT8, 0.5) == at_once
    lsb = np.abs(made.astype(float) - reference) / (1 if dtype is np.int8 else 17 / 255)
    assert at_once.max_lsb == pytest.approx(lsb.max())
    assert at_once.mean_lsb == pytest.approx(lsb.mean())


def test_parts_of_outputs_are_joined_and_infinity_becomes_a_number(tmp_path: Path) -> None:
    paths = [tmp_path / "0.npy", tmp_path / "1.npy"]
    save_array(paths[0], np.array([[1.0, np.inf]], np.float32))
    save_array(paths[1], np.array([[-np.inf, np.nan], [2.0, 3.0]], np.float32))
    most = np.finfo(np.float32).max
    joined = run_parts.joined(paths)
    np.testing.assert_array_equal(joined, np.array([[1, most], [-most, np.nan], [2, 3]]))
    assert run_parts.has_nan(joined)
    assert not any(path.exists() for path in paths)


# Distances


def whole(float_outputs: Array, outputs: Array) -> tuple[float, float]:
    floored = np.maximum(outputs.astype(np.float64), 1 / 512)
    found = entropy(float_outputs.astype(np.float64), floored, axis=1)
    return float(found.mean()), float(np.abs(float_outputs - outputs).max())


@pytest.mark.usefixtures("small_blocks")
def test_streaming_equals_the_whole() -> None:
    ours = scores(200)
    integers = quantize(ours + np.random.default_rng(1).normal(scale=0.05, size=ours.shape), INT8)
    theirs = dequantize(integers, INT8)
    found, worst = output_distance(ours, integers, INT8, OutputKind.CLASSES, 0.5)
    assert found.kl_divergence == pytest.approx(whole(ours, theirs)[0])
    assert found.max_abs_error == pytest.approx(whole(ours, theirs)[1])
    assert found.mean_abs_error == pytest.approx(np.abs(ours - theirs).mean())
    assert found.agreement == (ours.argmax(1) == theirs.argmax(1)).mean()
    assert found.sqnr_db == pytest.approx(sqnr_db(ours, theirs))
    assert sqnr_db(ours, integers, INT8) == pytest.approx(sqnr_db(ours, theirs))
    floored = np.maximum(theirs.astype(np.float64), 1 / 512)
    far = entropy(ours.astype(np.float64), floored, axis=1)
    changed = ours.argmax(1) != theirs.argmax(1)
    order = sorted(range(200), key=lambda i: (not changed[i], -far[i]))[:MAX_WORST_SAMPLES]
    assert [each.index for each in worst] == order
    assert [each.distance for each in worst] == pytest.approx(far[order])


def test_divergences_equal_scipys() -> None:
    p, q = scores(50, 7, seed=1), scores(50, 7, seed=2)
    expected = entropy(p.astype(np.float64), q.astype(np.float64), axis=1)
    np.testing.assert_allclose(kl_divergences(p, q, are_logits=False, floor=0.0), expected)
    logits = np.random.default_rng(3).normal(size=(2, 50, 7))
    np.testing.assert_allclose(
        kl_divergences(*logits, are_logits=True, floor=0.5),
        entropy(*softmax(logits, axis=-1), axis=1),
    )
    lone = kl_divergences(np.array([[0.9]]), np.array([[0.6]]), are_logits=False, floor=0.0)
    assert lone[0] == pytest.approx(entropy([0.1, 0.9], [0.4, 0.6]))
    far = kl_divergences(np.array([[2.0]]), np.array([[-800.0]]), are_logits=True, floor=0.0)
    assert 100 < far[0] < 1000  # not infinite


def test_a_quantized_zero_is_half_a_step_not_nothing() -> None:
    p, q = np.array([[0.999, 0.001, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    floored = np.array([1.0, 1 / 512, 1 / 512])
    found = kl_divergences(p, q, are_logits=False, floor=1 / 512)
    assert found[0] == pytest.approx(entropy([0.999, 0.001, 0.0], floored))
    assert np.isfinite(kl_divergences(p, q, are_logits=False, floor=0.0)).all()
    assert kl_divergences(np.zeros((1, 3)), q, are_logits=False, floor=0.0)[0] > 0


def test_histograms_of_values_are_compared_over_floats_range() -> None:
    random = np.random.default_rng(5)
    ours, theirs = random.normal(size=(100, 20)), random.normal(1, 2, size=(100, 20))
    found, _ = output_distance(ours, theirs, None, OutputKind.VALUES, 0.0)
    ends = (ours.min(), ours.max())
    p, _ = np.histogram(ours, 128, ends)
    q, _ = np.histogram(np.clip(theirs, *ends), 128, ends)
    assert found.kl_divergence == pytest.approx(entropy(p + 0.5, q + 0.5))
    assert found.agreement is None
    constant = ValueHistogram(3.0, 3.0)
    constant.add(np.full(4, 3.0))
    assert constant.counts[64] == 4


def test_identical_outputs_are_no_distance_apart() -> None:
    ours = scores(30)
    found, worst = output_distance(ours, ours, None, OutputKind.CLASSES, 0.5)
    assert (found.agreement, found.kl_divergence, found.sqnr_db) == (1.0, 0.0, None)
    assert worst == ()


@pytest.mark.usefixtures("small_blocks")
def test_worst_samples_tie_by_index_and_those_of_another_class_come_first() -> None:
    ours = np.tile(np.array([[0.6, 0.4]], np.float32), (60, 1))
    theirs = ours.copy()
    theirs[10:40] = [0.3, 0.7]
    theirs[50] = [1.0, 0.0]  # farther, but of the same class
    theirs[[7, 33]] = [0.1, 0.9]
    _, worst = output_distance(ours, theirs, None, OutputKind.CLASSES, 0.5)
    assert [each.index for each in worst] == [7, 33, *range(10, 20)]
    assert all(each.differs_in_class for each in worst)


def test_the_pixels_of_class_maps_agree_or_not() -> None:
    ours = np.zeros((3, 2, 2, 2))
    ours[..., 0] = 1
    theirs = ours.copy()
    theirs[1, 0, 0] = [0, 1]
    found, worst = output_distance(ours, theirs, None, OutputKind.CLASS_MAP, 0.5)
    assert found.agreement == 11 / 12
    assert [each.index for each in worst] == [1]
    assert not worst[0].differs_in_class


def test_memory_stays_flat(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    peaks = []
    for samples in (30_000, 120_000):
        save_array(tmp_path / "a.npy", random.random((samples, 32), np.float32))
        save_array(tmp_path / "b.npy", random.integers(-128, 127, (samples, 32), np.int8))
        ours, theirs = load_array(tmp_path / "a.npy"), load_array(tmp_path / "b.npy")
        tracemalloc.start()
        output_distance(ours, theirs, INT8, OutputKind.VALUES, 0.5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.05 * peaks[0]


# Classes


@pytest.mark.usefixtures("small_blocks")
def test_figures_by_class_equal_scikit_learns() -> None:
    made = scores(300, 5)
    labels = np.random.default_rng(2).integers(0, 4, 300)  # none of the last class
    names = tuple("abcd<")
    for boundary, outputs in ((0.5, made), (0.0, np.log(made))):
        found, confusion = class_results(outputs, None, boundary, labels, names)
        for number, each in enumerate(found[:4]):
            said = made.argmax(1)
            right = ((said == number) & (labels == number)).sum()
            assert each.recall == pytest.approx(right / (labels == number).sum())
            assert each.precision == pytest.approx(right / (said == number).sum())
            assert each.roc_auc == pytest.approx(roc_auc_score(labels == number, made[:, number]))
            assert each.samples == (labels == number).sum()
        assert found[4].recall is None
        assert found[4].roc_auc is None
        assert found[4].precision == 0.0
    assert sum(count for *_, count in confusion) == 300
    assert (2, 3, ((labels == 2) & (said == 3)).sum()) in confusion
    assert confusion == tuple(sorted(confusion))


def test_a_lone_output_has_two_classes() -> None:
    outputs = np.array([[0.1], [0.6], [0.7], [0.7]])
    found, confusion = class_results(outputs, None, 0.5, np.array([0, 0, 1, 1]), ("no", "yes"))
    assert confusion == ((0, 0, 1), (0, 1, 1), (1, 1, 2))
    assert [each.roc_auc for each in found] == [1.0, 1.0]
    assert [each.recall for each in found] == [0.5, 1.0]


def test_of_too_many_classes_only_metrics_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgepack.evaluation.evaluate.MOST_CLASSES", 2)
    ours = scores(20)
    result = Evaluator(ours, [Measure(metric=ACCURACY, wanted=ours.argmax(1))], ()).float_result()
    assert (result.classes, result.confusion) == ((), ())
    assert result.metrics["accuracy"].value == 1.0


def test_areas_are_computed_for_some_classes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (scores(40, 5), None, 0.5, np.arange(40) % 5, tuple("abcde"))
    at_once = class_results(*arguments)
    monkeypatch.setattr("edgepack.evaluation.per_class._SCORE_BYTES", 8 * 40 * 2)
    assert class_results(*arguments) == at_once


# All together


def evaluated(samples: int) -> tuple[OutputResult, OutputResult]:
    ours = scores(samples)
    labels = np.random.default_rng(1).integers(0, 3, samples)
    labels[: samples * 3 // 4] = ours.argmax(1)[: samples * 3 // 4]
    evaluator = Evaluator(ours, [Measure(metric=ACCURACY, wanted=labels)], ("a", "b", "c"))
    noisy = ours + np.random.default_rng(2).normal(scale=0.1, size=ours.shape)
    return evaluator.float_result(), evaluator.result(quantize(noisy, INT8), INT8)


def test_an_output_is_told_whole() -> None:
    of_float, other = evaluated(400)
    first = of_float.metrics["accuracy"]
    assert first.change is None
    assert of_float.distance is None
    assert first.value is not None
    assert first.interval == wilson_interval(round(400 * first.value), 400)
    second = other.metrics["accuracy"]
    change = second.change
    assert change is not None
    assert second.value is not None
    assert change.loss == pytest.approx(100 * (first.value - second.value))
    assert change.only_float is not None
    assert change.only_other is not None
    assert change.only_float - change.only_other == round(400 * (first.value - second.value))
    assert change.p_value == mcnemar_p_value(change.only_float, change.only_other)
    assert change.interval is not None
    assert change.detectable is not None
    assert change.interval.low < change.loss < change.interval.high
    assert sum(count for *_, count in other.confusion) == 400
    right = sum(count for label, told, count in other.confusion if label == told)
    assert right / 400 == second.value
    assert other.worst[0].of_float.label != other.worst[0].of_other.label
    assert other.worst[0].wanted in ("a", "b", "c")
    assert evaluated(400) == (of_float, other)  # the same, whenever


@pytest.mark.parametrize("samples", [1, 2])
def test_few_samples_are_told_without_certainty(samples: int) -> None:
    _, other = evaluated(samples)
    change = other.metrics["accuracy"].change
    assert change is not None
    assert change.detectable is None
    assert not change.is_shown


def test_a_loss_is_in_percent_of_an_error_and_points_of_a_fraction() -> None:
    random = np.random.default_rng(4)
    wanted = random.normal(size=(300, 1))
    ours = wanted + random.normal(scale=0.2, size=wanted.shape)
    theirs = ours + random.normal(scale=0.1, size=wanted.shape)
    found = measured(ours, theirs, MSE, wanted)
    change = found.change
    errors = [np.square(each - wanted).mean() for each in (ours, theirs)]
    assert change is not None
    assert change.loss == pytest.approx(100 * (errors[1] / errors[0] - 1))
    assert change.interval is not None
    assert change.interval.low < change.loss < change.interval.high
    assert change.p_value is None
    back = measured(theirs, ours, MSE, wanted).change
    assert back is not None
    assert back.loss is not None
    assert back.loss < 0
    points = measured(ours, theirs, R2, wanted[:, 0:1]).change
    assert points is not None
    assert points.loss == pytest.approx(100 * (errors[1] - errors[0]) / wanted.var())


class Lazy:
    """What gives rows when it is sliced, and is no array."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows

    def __getitem__(self, rows: slice) -> Array:
        return self._rows[rows]


@pytest.mark.usefixtures("small_blocks")
def test_wanted_values_may_be_read_by_slices() -> None:
    wanted = np.random.default_rng(4).normal(size=(300, 1))
    lazy: Any = Lazy(wanted)
    assert measured(wanted + 1, wanted + 2, MSE, lazy) == measured(
        wanted + 1, wanted + 2, MSE, wanted
    )


def test_metrics_of_the_same_rows_are_resampled_as_if_alone() -> None:
    def pairs(outputs: Array, wanted: Array, boundary: float) -> Array:
        return np.stack([wanted, predicted_classes(outputs, boundary)], axis=1)

    def right(rows: Array, weights: Array) -> Array:
        return weights @ (rows[:, 0] == rows[:, 1]) / weights.sum(axis=1)

    def wrong(rows: Array, weights: Array) -> Array:
        return 1 - right(rows, weights)

    ours, labels = scores(200), np.random.default_rng(1).integers(0, 3, 200)
    both = [metric(pairs, value, name=value.__name__) for value in (right, wrong)]
    measures = [Measure(metric=each, wanted=labels) for each in both]
    theirs = scores(200, seed=9)
    together = Evaluator(ours, measures, ()).result(theirs, None).metrics
    assert list(together) == ["right", "wrong"]
    for measure in measures:
        name = measure.metric.name
        alone = Evaluator(ours, [measure], ()).result(theirs, None).metrics[name]
        assert together[name] == alone


def test_an_error_of_none() -> None:
    wanted = np.zeros((20, 1))
    grown = measured(wanted, wanted + np.arange(20.0)[:, np.newaxis], MSE, wanted).change
    assert grown is not None
    assert (grown.loss, grown.interval, grown.detectable) == (None, None, None)
    same = measured(wanted, wanted, MSE, wanted).change
    assert same is not None
    assert (same.loss, same.interval, same.detectable) == (0.0, None, None)


def test_what_cannot_be_told_is_none() -> None:
    nan = metric(lambda outputs, *_: outputs[:, 0] * np.nan, name="nan", family=Family.REGRESSION)
    found = measured(np.ones((5, 1)), np.ones((5, 1)), nan, np.ones((5, 1)))
    assert (found.value, found.interval, found.change) == (None, None, None)
    ours, theirs = np.ones((5, 1)), np.full((5, 1), 2.0)
    is_float = metric(
        lambda outputs, *_: np.where(outputs[:, 0] == 1, np.nan, 1.0),
        name="float",
        family=Family.REGRESSION,
    )
    change = measured(ours, theirs, is_float, ours).change
    assert change is not None
    assert change.loss is None


def test_a_constant_output_and_one_class() -> None:
    ours = np.tile(np.array([[0.2, 0.8]], np.float32), (20, 1))
    evaluator = Evaluator(ours, [Measure(metric=ACCURACY, wanted=np.ones(20, int))], ("no", "yes"))
    result = evaluator.result(ours.copy(), None)
    assert [each.roc_auc for each in result.classes] == [None, None]
    assert [each.recall for each in result.classes] == [None, 1.0]
    assert result.worst == ()
    change = result.metrics["accuracy"].change
    assert change is not None
    assert (change.loss, change.p_value, change.is_shown) == (0.0, 1.0, False)


def test_nan_in_the_float_outputs_is_survived() -> None:
    ours = scores(20)
    ours[3] = np.nan
    result = Evaluator(ours, (), ()).result(scores(20), None)
    assert result.distance is not None
    assert result.worst[0].index == 3


@pytest.mark.parametrize(
    ("outputs", "has_classes"),
    [
        (scores(9), True),
        (scores(9)[:, :1], True),
        (scores(9)[:, :1] * 4 - 1, False),
        (np.ones((9, 2, 2)), False),
        (np.ones(9), False),
    ],
)
def test_without_labels_outputs_are_compared_all_the_same(
    outputs: Array, has_classes: bool
) -> None:
    evaluator = Evaluator(outputs, (), ())
    assert evaluator.float_result() == OutputResult(metrics={})
    result = evaluator.result(outputs * 0.9, None)
    assert result.metrics == {}
    assert result.distance is not None
    assert (result.distance.agreement is not None) == has_classes


def test_lone_outputs_say_no_as_surely_as_not_yes() -> None:
    ours, theirs = np.array([[0.9], [0.2]]), np.array([[0.25], [0.3]])
    worst = Evaluator(ours, (), ("no", "yes")).result(theirs, None).worst
    assert (worst[0].of_float.label, worst[0].of_float.score) == ("yes", 0.9)
    assert (worst[0].of_other.label, worst[0].of_other.score) == ("no", 0.75)
