"""Outputs that are lost fail, whatever budgets say; good ones never do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from evaluated_outputs import ACCURACY, INT8, scores

from edgepack.compression.pruning.settings import Pruning
from edgepack.evaluation.collapse import CollapseOrigin, DecisionCounts, is_at_chance
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.results import Collapse
from edgepack.evaluation.scores import Score
from edgepack.layer_errors.lost_layer import find_lost_layer
from edgepack.metrics.metric import Measure
from edgepack.pipeline.steps.collapse_origin import collapsed_stage
from edgepack.quantization.affine import quantize
from edgepack.report.data.compression import StepReport
from edgepack.tflite.graph import QuantParams

Array = np.ndarray
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(50, 8, 3)).astype(np.float32)


def collapse(float_outputs: Array, outputs: Array, labels: Array | None = None) -> Collapse | None:
    measures = [] if labels is None else [Measure(metric=ACCURACY, wanted=labels)]
    evaluator = Evaluator(float_outputs, measures)
    score = evaluator.score(outputs, None)
    result = evaluator.result(outputs, None)
    assert result.distance is not None
    assert result.distance.collapse == score.collapse
    return score.collapse


def test_outputs_that_do_not_depend_on_the_sample_are_constant() -> None:
    constant = np.repeat(VALUES[:1], len(VALUES), axis=0)
    assert collapse(VALUES, constant) is Collapse.CONSTANT
    assert collapse(VALUES, np.zeros_like(VALUES)) is Collapse.CONSTANT
    # As constant as the float model: nothing is lost.
    assert collapse(constant, constant) is None
    assert collapse(constant * (1 + 1e-6 * RANDOM.normal(size=VALUES.shape)), constant) is None


def test_outputs_that_vary_little_around_an_offset_are_lost_to_a_scale_from_zero() -> None:
    """As a latitude of 52.51 to 52.53: the SQNR is 68 dB, and yet nothing is left."""
    latitude = RANDOM.uniform(52.51, 52.53, size=(200, 1)).astype(np.float32)
    constant, step = np.full_like(latitude, 52.53), 52.53 / 255
    assert collapse(latitude, constant) is Collapse.CONSTANT
    pressure = RANDOM.normal(1013, 0.6, size=(200, 1))
    assert collapse(pressure, np.round(pressure / 4) * 4) is Collapse.NOISE
    two_steps = RANDOM.uniform(50, 50 + 2 * step, size=(200, 1))
    assert collapse(two_steps, np.round(two_steps / step) * step) is None
    # A few samples may be alike, and a sure model's probabilities are all near 1.
    assert collapse(latitude[:63], constant[:63]) is None
    assert collapse(latitude / 53, constant / 53) is None
    hardly_varying = RANDOM.normal(293.2, 0.4, size=(200, 1))
    assert collapse(hardly_varying, np.round(hardly_varying / 1.18) * 1.18) is Collapse.NOISE
    varying = RANDOM.normal(293.2, 3, size=(200, 1))
    assert collapse(varying, np.round(varying / 1.18) * 1.18) is None


def test_outputs_that_are_mostly_zero_in_float_too_are_well() -> None:
    """As amounts of rain: 96% are zero, and among the others some are rounded to zero."""
    rain = np.maximum(RANDOM.normal(-7, 4, size=(3000, 1)), 0).astype(np.float32)
    rain[::40] *= 5
    assert (rain == 0).mean() > 0.9
    step = rain.max() / 255
    assert collapse(rain, np.round(rain / step) * step) is None
    assert collapse(rain, np.where(rain > rain.max() / 2, rain, 0)) is Collapse.MOSTLY_CONSTANT


def test_one_sample_shows_no_constancy() -> None:
    assert collapse(VALUES[:1], VALUES[:1] + 0.01) is None


def test_a_few_outliers_do_not_hide_constant_outputs() -> None:
    outputs = RANDOM.normal(scale=17.0, size=(400, 1)).astype(np.float32)
    for place in (0, 1, 200):
        spoilt = outputs.copy()
        spoilt[place] = 5000.0
        rounded = np.where(spoilt > 2500.0, 5000.0, 0.0)
        assert collapse(spoilt, rounded) is Collapse.MOSTLY_CONSTANT
        assert collapse(spoilt, np.round(spoilt / 20) * 20) is None  # 20 is a step of int8


@pytest.mark.parametrize("spread", [0.001, 1.0])
def test_a_mean_does_not_hide_that_outputs_tell_nothing(spread: float) -> None:
    around = 5.0 + RANDOM.normal(size=(400, 1))
    unrelated = 5.0 + RANDOM.normal(scale=spread, size=(400, 1))
    assert collapse(around, unrelated) is Collapse.NOISE
    assert collapse(around, around + RANDOM.normal(scale=0.5, size=(400, 1))) is None


def test_rounding_of_elements_that_do_not_vary_is_no_noise() -> None:
    outputs = np.tile(RANDOM.uniform(1, 2, (1, 500)), (60, 1))
    outputs[:, 7] += RANDOM.uniform(0, 0.1, 60)
    step = 2 / 255
    assert collapse(outputs, np.round(outputs / step) * step) is None


def test_scores_that_are_nearly_equal_are_not_lost_without_labels() -> None:
    """As a spectrum, or the pixels of an image, of which one is the largest by a hair."""
    levels = np.tile(RANDOM.uniform(1.99, 2, (1, 500)), (60, 1))
    levels += RANDOM.uniform(0, 0.2, (60, 1))
    assert collapse(levels, np.round(levels * 127) / 127) is None


def test_outputs_with_more_noise_than_signal_are_noise() -> None:
    assert collapse(VALUES, VALUES + RANDOM.normal(scale=0.6, size=VALUES.shape)) is Collapse.NOISE
    assert collapse(VALUES, VALUES + RANDOM.normal(scale=0.5, size=VALUES.shape)) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_outputs_that_are_not_finite_are_lost(bad: float) -> None:
    outputs = VALUES.copy()
    outputs[7, 0, 0] = bad
    with np.errstate(invalid="ignore"):
        assert collapse(VALUES, outputs) is Collapse.NOT_FINITE


def test_classes_that_agree_only_by_chance_are_lost() -> None:
    probabilities = scores(400)
    unrelated = probabilities[RANDOM.permutation(400)]
    mixed = 0.45 * probabilities.mean(axis=0) + 0.55 * unrelated
    lost = collapse(probabilities, mixed)
    assert lost in (Collapse.CHANCE, Collapse.NOISE)
    same = probabilities.argmax(1) == mixed.argmax(1)
    counts = DecisionCounts()
    counts.add(probabilities.argmax(1), mixed.argmax(1))
    assert counts.agrees_by_chance(int(same.sum()))
    assert collapse(probabilities, 0.9 * probabilities + 0.1 * unrelated) is None


def test_what_compression_changed_is_no_noise() -> None:
    trained = VALUES + RANDOM.normal(scale=0.8, size=VALUES.shape).astype(np.float32)
    quantized = trained + RANDOM.normal(scale=0.01, size=VALUES.shape).astype(np.float32)
    evaluator = Evaluator(VALUES)
    assert evaluator.score(quantized, None).collapse is Collapse.NOISE
    assert evaluator.score(quantized, None, compressed=trained).collapse is None
    assert evaluator.score(trained, None, compressed=trained).collapse is None
    noisy = trained + RANDOM.normal(scale=0.9, size=VALUES.shape).astype(np.float32)
    assert evaluator.score(noisy, None, compressed=trained).collapse is Collapse.NOISE


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 8])
def test_few_samples_do_not_show_that_classes_agree_by_chance(samples: int) -> None:
    float_classes = np.arange(samples) % 2
    counts = DecisionCounts()
    counts.add(float_classes, np.zeros(samples, np.int64))
    assert not counts.agrees_by_chance(int((float_classes == 0).sum()))


def test_a_class_that_both_models_always_predict_is_no_chance() -> None:
    counts = DecisionCounts()
    counts.add(np.zeros(100, np.int64), np.zeros(100, np.int64))
    assert not counts.agrees_by_chance(100)


def test_guessing_is_told_from_a_large_loss() -> None:
    labels = np.arange(300) % 10
    right = np.ones(300, bool)
    assert is_at_chance(labels, right, labels == 3)
    assert not is_at_chance(labels, right, np.arange(300) % 3 == 0)
    # The float model guesses, too: then quantization has lost nothing.
    assert not is_at_chance(labels, labels == 4, labels == 3)
    # A few samples show nothing.
    assert not is_at_chance(labels[:3], right[:3], ~right[:3])


def test_labels_show_a_guess_where_outputs_are_alike() -> None:
    # Float decides by a hair, which int8 rounds away: the outputs agree within 40 dB.
    labels = np.arange(200) % 4
    outputs = np.full((200, 4), 10.0, np.float32)
    outputs[np.arange(200), labels] += 0.02
    rounded = np.round(outputs)
    rounded[:, 0] += 0.1
    assert collapse(outputs, rounded, labels) is not None


def test_a_saturated_classifier_on_one_class_is_well() -> None:
    probabilities = np.tile(np.array([[1 - 1e-6, 1e-6]], np.float32), (40, 1))
    probabilities[:, 1] += RANDOM.uniform(0, 1e-6, 40).astype(np.float32)
    assert collapse(probabilities, np.tile(np.array([[1.0, 0.0]]), (40, 1))) is None


def test_a_binary_classifier_on_the_class_0_only_is_well() -> None:
    low = RANDOM.uniform(0, 0.0019, (50, 1)).astype(np.float32)  # less than half a step of int8
    none = np.zeros(50, np.int64)
    assert collapse(low, np.zeros_like(low), none) is None
    # Samples of both classes, or values of no class, may be told apart by as little.
    assert collapse(low, np.zeros_like(low), np.arange(50) % 2) is Collapse.CONSTANT
    assert collapse(low, np.zeros_like(low)) is Collapse.CONSTANT
    # An error of more than two steps is no rounding.
    assert collapse(low, np.full_like(low, 0.4), none) is Collapse.CONSTANT


def test_a_test_that_reaches_less_far_than_the_calibration_loses_nothing() -> None:
    """The scale suits up to 100, and the outputs to 25: what is small is rounded by its step."""
    levels = np.abs(RANDOM.normal(scale=0.05, size=(300, 1)))
    levels[::20] = RANDOM.uniform(1, 25, size=(15, 1))
    tensor = replace(INT8, quant=QuantParams(scale=(100 / 255,), zero_point=(-128,)))
    score = Evaluator(levels).score(quantize(levels, tensor), tensor)
    assert score.sqnr_db is not None
    assert score.sqnr_db > 30
    assert score.collapse is None


@pytest.mark.parametrize("shape", [(200, 1), (200, 3), (40, 8, 8, 1)])
def test_scores_that_never_fire_on_the_samples_are_well(shape: tuple[int, ...]) -> None:
    """The steps of a sigmoid are 1/256: what is below two of them shows no loss."""
    silent = RANDOM.uniform(0, 0.004, shape).astype(np.float32)
    sigmoid = replace(INT8, quant=QuantParams(scale=(1 / 256,), zero_point=(-128,)))
    score = Evaluator(silent).score(quantize(silent, sigmoid), sigmoid)
    assert score.collapse is None
    # A scale of their own would show them: then a constant is a loss.
    own = replace(INT8, quant=QuantParams(scale=(0.004 / 255,), zero_point=(-128,)))
    dead = np.full(shape, -128, np.int8)
    assert Evaluator(silent).score(dead, own).collapse is Collapse.CONSTANT


def test_a_softmax_of_many_classes_is_lost_below_its_steps() -> None:
    softmax = replace(INT8, quant=QuantParams(scale=(1 / 256,), zero_point=(-128,)))
    peaks = np.where(np.arange(500) == RANDOM.integers(0, 500, (400, 1)), 0.004, 0.001)
    peaks /= peaks.sum(axis=1, keepdims=True)
    dead = np.full(peaks.shape, -128, np.int8)
    assert Evaluator(peaks).score(dead, softmax).collapse in (Collapse.CHANCE, Collapse.NOISE)
    labels = [Measure(metric=ACCURACY, wanted=peaks.argmax(axis=1))]
    partly = np.where(np.arange(400)[:, np.newaxis] % 4, dead, quantize(peaks * 2, softmax))
    lost = Evaluator(peaks, labels).score(partly.astype(np.int8), softmax)
    assert lost.collapse in (Collapse.CHANCE, Collapse.NOISE)


def test_ordinary_int8_outputs_are_well() -> None:
    outputs = scores(400)
    score = Evaluator(outputs).score(quantize(outputs, INT8), INT8)
    assert score.collapse is None


def test_a_step_is_blamed_for_the_outputs_that_it_lost_only() -> None:
    lost = Score(
        value=None,
        agreement=None,
        sqnr_db=0.0,
        max_abs_error=1.0,
        mean_abs_error=1.0,
        collapse=Collapse.NOISE,
    )
    record = Pruning(way="wrappers", runtime="tf-keras", trained=None, left_out={})
    outputs = {"a": lost, "b": replace(lost, collapse=None)}
    steps = [StepReport(technique="prune", stage="pruned", record=record, outputs=outputs)]
    assert collapsed_stage(steps, {"a"}) == CollapseOrigin(stage="pruned")
    assert collapsed_stage(steps, {"b"}) is None
    assert collapsed_stage(steps, {"a", "b"}) is None
    assert collapsed_stage([], set()) is None


def test_without_a_layer_below_the_limit_none_is_blamed() -> None:
    assert find_lost_layer([]) is None
    assert CollapseOrigin() == CollapseOrigin(layer=None, stage=None)
