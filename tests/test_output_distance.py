"""Distances between the outputs of two models, and the samples on which they differ most."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from evaluated_outputs import INT8, scores
from scipy.special import softmax
from scipy.stats import entropy

from edgepack.evaluation.kl_divergence import ValueHistogram, kl_divergences
from edgepack.evaluation.output_distance import MAX_WORST_SAMPLES, output_distance
from edgepack.evaluation.output_noise import OutputKind
from edgepack.evaluation.paired_outputs import sqnr_db
from edgepack.quantization.affine import dequantize, quantize
from edgepack.storage.arrays import load_array, save_array


@pytest.mark.usefixtures("small_blocks")
def test_block_wise_distances_equal_those_of_whole_arrays() -> None:
    float_outputs = scores(200)
    integers = quantize(
        float_outputs + np.random.default_rng(1).normal(scale=0.05, size=float_outputs.shape), INT8
    )
    outputs = dequantize(integers, INT8)
    floored = np.maximum(outputs.astype(np.float64), 1 / 512)
    distances = entropy(float_outputs.astype(np.float64), floored, axis=1)
    distance, worst = output_distance(float_outputs, integers, INT8, OutputKind.CLASSES, 0.5)
    assert distance.kl_divergence == pytest.approx(distances.mean())
    assert distance.max_abs_error == pytest.approx(np.abs(float_outputs - outputs).max())
    assert distance.mean_abs_error == pytest.approx(np.abs(float_outputs - outputs).mean())
    assert distance.agreement == (float_outputs.argmax(1) == outputs.argmax(1)).mean()
    assert distance.sqnr_db == pytest.approx(sqnr_db(float_outputs, outputs))
    assert sqnr_db(float_outputs, integers, INT8) == pytest.approx(sqnr_db(float_outputs, outputs))
    class_differs = float_outputs.argmax(1) != outputs.argmax(1)
    order = sorted(range(200), key=lambda i: (not class_differs[i], -distances[i]))[
        :MAX_WORST_SAMPLES
    ]
    assert [each.index for each in worst] == order
    assert [each.distance for each in worst] == pytest.approx(distances[order])


def test_kl_divergences_equal_those_of_scipy() -> None:
    p, q = scores(50, 7, seed=1), scores(50, 7, seed=2)
    expected = entropy(p.astype(np.float64), q.astype(np.float64), axis=1)
    np.testing.assert_allclose(kl_divergences(p, q, are_logits=False, floor=0.0), expected)
    logits = np.random.default_rng(3).normal(size=(2, 50, 7))
    np.testing.assert_allclose(
        kl_divergences(*logits, are_logits=True, floor=0.5),
        entropy(*softmax(logits, axis=-1), axis=1),
    )
    binary = kl_divergences(np.array([[0.9]]), np.array([[0.6]]), are_logits=False, floor=0.0)
    assert binary[0] == pytest.approx(entropy([0.1, 0.9], [0.4, 0.6]))
    far = kl_divergences(np.array([[2.0]]), np.array([[-800.0]]), are_logits=True, floor=0.0)
    assert 100 < far[0] < 1000  # not infinite


def test_a_quantized_zero_counts_as_half_a_step() -> None:
    p, q = np.array([[0.999, 0.001, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    floored = np.array([1.0, 1 / 512, 1 / 512])
    floored_divergence = kl_divergences(p, q, are_logits=False, floor=1 / 512)
    assert floored_divergence[0] == pytest.approx(entropy([0.999, 0.001, 0.0], floored))
    assert np.isfinite(kl_divergences(p, q, are_logits=False, floor=0.0)).all()
    assert kl_divergences(np.zeros((1, 3)), q, are_logits=False, floor=0.0)[0] > 0


def test_histograms_of_values_cover_the_range_of_the_float_outputs() -> None:
    random = np.random.default_rng(5)
    float_outputs, outputs = random.normal(size=(100, 20)), random.normal(1, 2, size=(100, 20))
    distance, _ = output_distance(float_outputs, outputs, None, OutputKind.VALUES, 0.0)
    bounds = (float_outputs.min(), float_outputs.max())
    p, _ = np.histogram(float_outputs, 128, bounds)
    q, _ = np.histogram(np.clip(outputs, *bounds), 128, bounds)
    assert distance.kl_divergence == pytest.approx(entropy(p + 0.5, q + 0.5))
    assert distance.agreement is None
    constant = ValueHistogram(3.0, 3.0)
    constant.add(np.full(4, 3.0))
    assert constant.counts[64] == 4


def test_identical_outputs_have_no_distance() -> None:
    float_outputs = scores(30)
    distance, worst = output_distance(float_outputs, float_outputs, None, OutputKind.CLASSES, 0.5)
    assert (distance.agreement, distance.kl_divergence, distance.sqnr_db) == (1.0, 0.0, None)
    assert worst == ()


@pytest.mark.usefixtures("small_blocks")
def test_worst_samples_are_ranked_by_class_change_then_distance_then_index() -> None:
    float_outputs = np.tile(np.array([[0.6, 0.4]], np.float32), (60, 1))
    outputs = float_outputs.copy()
    outputs[10:40] = [0.3, 0.7]
    outputs[50] = [1.0, 0.0]  # farther, but of the same class
    outputs[[7, 33]] = [0.1, 0.9]
    _, worst = output_distance(float_outputs, outputs, None, OutputKind.CLASSES, 0.5)
    assert [each.index for each in worst] == [7, 33, *range(10, 20)]
    assert all(each.differs_in_class for each in worst)


def test_agreement_of_class_maps_counts_pixels() -> None:
    float_outputs = np.zeros((3, 2, 2, 2))
    float_outputs[..., 0] = 1
    outputs = float_outputs.copy()
    outputs[1, 0, 0] = [0, 1]
    distance, worst = output_distance(float_outputs, outputs, None, OutputKind.CLASS_MAP, 0.5)
    assert distance.agreement == 11 / 12
    assert [each.index for each in worst] == [1]
    assert not worst[0].differs_in_class


def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    peaks = []
    for samples in (30_000, 120_000):
        save_array(tmp_path / "a.npy", random.random((samples, 32), np.float32))
        save_array(tmp_path / "b.npy", random.integers(-128, 127, (samples, 32), np.int8))
        float_outputs, outputs = load_array(tmp_path / "a.npy"), load_array(tmp_path / "b.npy")
        tracemalloc.start()
        output_distance(float_outputs, outputs, INT8, OutputKind.VALUES, 0.5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.05 * peaks[0]


def test_the_mean_of_errors_whose_sum_exceeds_float32_is_finite() -> None:
    vast = np.full((20, 3), 1e38, np.float32)
    distance, _ = output_distance(vast, np.zeros_like(vast), None, OutputKind.VALUES, 0.0)
    assert distance.mean_abs_error == pytest.approx(1e38)
