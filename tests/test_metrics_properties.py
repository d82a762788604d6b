"""Every metric equals that of scikit-learn or scikit-image, on random samples and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn import metrics as sklearn

from edgepack.metrics import find_metric, record_array
from edgepack.metrics.roc import partial_roc_auc, roc_auc

Array = NDArray[Any]
Reference = Callable[[Array, Array], float]
LINES = 6
EXACT = {"rtol": 1e-12, "atol": 1e-12, "equal_nan": True}


def resampled(rng: np.random.Generator, samples: int) -> Array:
    """Return weights: each sample once, then bootstrap resamples, then only a few samples."""
    draws = [np.bincount(rng.integers(0, samples, samples), minlength=samples) for _ in range(3)]
    few = [np.bincount(rng.integers(0, samples, 3), minlength=samples) for _ in range(2)]
    return np.stack([np.ones(samples, np.int64), *draws, *few])


def check(
    name: str,
    outputs: Array,
    targets: Array,
    reference: Reference,
    *,
    boundary: float = 0.5,
    seed: int = 0,
) -> None:
    """Compare a metric, computed by blocks, with a function of (targets, outputs)."""
    metric, rng = find_metric(name), np.random.default_rng(seed)
    lines = resampled(rng, len(outputs))
    middle = len(outputs) // 2
    blocks = [slice(0, middle), slice(middle, None)]
    rows = np.concatenate(
        [metric.condense(outputs[block], targets[block], boundary) for block in blocks]
    )
    repeated = [np.repeat(np.arange(len(outputs)), line) for line in lines]
    expected = [reference(targets[index], outputs[index]) for index in repeated]
    values = metric.value(rows, lines)
    assert values.dtype == np.float64
    assert values.shape == (len(lines),)
    np.testing.assert_allclose(values, expected, **EXACT)
    np.testing.assert_allclose(metric.value_of_rows(rows), values[0], **EXACT)


def classified(samples: int = 60) -> Iterator[tuple[Array, Array, int]]:
    """Make probabilities (samples, classes) and labels: ties, missing classes, constants."""
    for seed, count in enumerate([2, 3, 5, 12]):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, count, samples)
        scores = rng.random((samples, count)) + np.eye(count)[labels] * rng.random()
        scores = scores / scores.sum(axis=1, keepdims=True)
        tied = np.round(scores * 4) / 4
        yield scores, labels, count
        yield tied, labels, count
        yield scores, np.minimum(labels, 1), count  # the model predicts classes without samples
        yield tied, np.zeros_like(labels), count
        yield np.full_like(scores, 1 / count), labels, count
        yield scores[:2], labels[:2], count


def binary(samples: int = 60) -> Iterator[tuple[Array, Array]]:
    """Make the probability of class 1 (samples, 1) and labels 0 and 1."""
    rng = np.random.default_rng(9)
    labels = rng.integers(0, 2, samples)
    scores = np.clip(rng.random((samples, 1)) + 0.2 * labels[:, np.newaxis], 0, 1)
    yield scores, labels
    yield np.round(scores * 5) / 5, labels
    yield np.full_like(scores, 0.5), labels
    yield scores, np.ones_like(labels)


def predicted(outputs: Array) -> Array:
    return outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] >= 0.5).astype(int)


@pytest.mark.parametrize("mean", ["macro", "weighted"])
def test_classification_metrics_equal_those_of_scikit_learn(mean: str) -> None:
    references = {
        f"precision-{mean}": sklearn.precision_score,
        f"recall-{mean}": sklearn.recall_score,
        f"f1-{mean}": sklearn.f1_score,
    }
    cases = [*((scores, labels) for scores, labels, _ in classified()), *binary()]
    for scores, labels in cases:
        for name, function in references.items():
            check(
                name,
                scores,
                labels,
                lambda y, x, of=function: of(y, predicted(x), average=mean, zero_division=0),
            )
        if mean == "macro":
            check("accuracy", scores, labels, lambda y, x: sklearn.accuracy_score(y, predicted(x)))


def test_top_k_equals_that_of_scikit_learn_but_ranks_the_first_of_equals_higher() -> None:
    for scores, labels, count in classified():
        for k in {2, count - 1} - {1, count}:  # scikit-learn ranks the last of equal scores higher
            check(
                f"top-{k}",
                scores,
                labels,
                lambda y, x, k=k, last=count - 1: sklearn.top_k_accuracy_score(
                    last - y, x[:, ::-1], k=k, labels=range(last + 1)
                ),
            )


def test_top_2_includes_top_1() -> None:
    for scores, labels, _ in classified():
        top, accuracy = (
            find_metric(name).condense(scores, labels, 0.5) for name in ("top-2", "accuracy")
        )
        assert (top >= accuracy).all()


def one_vs_rest(labels: Array, scores: Array) -> float:
    """Return the mean over classes of scikit-learn's ROC AUC, where it is defined."""
    if scores.shape[1] <= 2:
        return area(labels == 1, scores[:, -1])
    areas = [area(labels == label, scores[:, label]) for label in range(scores.shape[1])]
    defined = [each for each in areas if not np.isnan(each)]
    return float(np.mean(defined)) if defined else np.nan


def area(are_positive: Array, scores: Array, max_fpr: float | None = None) -> float:
    if are_positive.all() or not are_positive.any():
        return np.nan
    return float(sklearn.roc_auc_score(are_positive, scores, max_fpr=max_fpr))


def test_roc_auc_equals_that_of_scikit_learn() -> None:
    for scores, labels, count in classified():
        check("roc-auc", scores, labels, one_vs_rest)
        if count > 2 and len(set(labels)) == count and np.allclose(scores.sum(axis=1), 1):
            expected = sklearn.roc_auc_score(labels, scores, multi_class="ovr")
            assert find_metric("roc-auc").score(scores, labels, 0.5) == pytest.approx(
                expected, rel=1e-12
            )
        logits = np.log(scores + 0.1)
        check(
            "roc-auc",
            logits,
            labels,
            lambda y, x: one_vs_rest(y, softmax(x, axis=1)),
            boundary=0.0,
        )
    for scores, labels in binary():
        check("roc-auc", scores, labels, one_vs_rest)
        check("roc-auc", scores - 0.5, labels, one_vs_rest, boundary=0.0)


@pytest.mark.parametrize("max_fpr", [0.05, 0.1, 0.5, 1.0])
def test_partial_roc_auc_equals_that_of_scikit_learn(max_fpr: float) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        samples = int(rng.integers(2, 80))
        are_positive = rng.random(samples) < rng.choice([0.1, 0.5])
        scores = rng.random(samples) + 0.5 * are_positive
        lines = resampled(rng, samples)
        for each in (scores, np.round(scores * 3), np.zeros(samples)):
            repeated = [np.repeat(np.arange(samples), line) for line in lines]
            expected = [area(are_positive[index], each[index], max_fpr) for index in repeated]
            areas = partial_roc_auc(each, are_positive, lines, max_fpr)
            np.testing.assert_allclose(areas, expected, **EXACT)
        whole = partial_roc_auc(scores, are_positive, lines, 1.0)
        columns = (each[:, np.newaxis] for each in (scores, are_positive))
        np.testing.assert_allclose(whole, roc_auc(*columns, lines)[:, 0], **EXACT)


def test_anomalies_are_scored_by_their_squared_error() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        labels, x = rng.integers(0, 2, 50), rng.random((50, 4, 2), np.float32)
        outputs = x + rng.normal(0, 0.1 + 0.05 * labels[:, np.newaxis, np.newaxis], x.shape)
        outputs[:10] = x[:10]
        targets = record_array({"label": labels, "values": x})
        for name, max_fpr in (("anomaly-auc", None), ("anomaly-pauc", 0.1)):
            check(
                name,
                outputs.astype(np.float32),
                targets,
                lambda y, x, max_fpr=max_fpr: area(
                    y["label"] == 1,
                    np.square(x.astype(np.float64) - y["values"]).mean(axis=(1, 2)),
                    max_fpr,
                ),
            )


def flat(array: Array) -> Array:
    return array.reshape(len(array), -1).astype(np.float64)


def r2(targets: Array, outputs: Array) -> float:
    return float(sklearn.r2_score(targets, outputs)) if len(targets) > 1 else np.nan


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("shape", [(1,), (4,), (3, 2, 2)])
def test_regression_metrics_equal_those_of_scikit_learn(
    shape: tuple[int, ...], offset: float
) -> None:
    for seed, samples in enumerate([2, 7, 50]):
        rng = np.random.default_rng(seed)
        targets = (rng.normal(offset, 1, (samples, *shape))).astype(np.float32)
        outputs = (targets + rng.normal(0, 0.3, targets.shape)).astype(np.float32)
        check("mse", outputs, targets, lambda y, x: sklearn.mean_squared_error(flat(y), flat(x)))
        check("mae", outputs, targets, lambda y, x: sklearn.mean_absolute_error(flat(y), flat(x)))
        # A resample of fewer samples may be one sample repeated, which has no variance.
        if len(shape) == 1 and samples > 7:
            check("r2", outputs.astype(np.float64), targets.astype(np.float64), r2)


def test_r2_of_a_constant_value_is_1_or_0() -> None:
    rng = np.random.default_rng(3)
    targets = np.concatenate([np.full((20, 1), 0.25), rng.random((20, 1))], axis=1)
    for outputs in (targets, targets + 0.5, np.where([[True, False]], targets, 0.5)):
        check("r2", outputs, targets, r2)
    assert np.isnan(find_metric("r2").value(np.ones((1, 2, 1)), np.ones((1, 1)))[0])


@pytest.mark.parametrize("count", [1, 3, 21])
def test_segmentation_metrics_equal_those_of_scikit_learn(count: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, max(count, 2), (12, 4, 5)).astype(np.uint8)
        outputs = rng.random((12, 4, 5, count))
        if seed % 2:
            labels[rng.random(labels.shape) < 0.2] = 255
        if seed > 1:
            labels[labels == 1] = 0

        def of_positions(function: Reference) -> Reference:
            def value(y: Array, x: Array) -> float:
                counts = y != 255
                classes = predicted(x.reshape(-1, x.shape[-1])).reshape(y.shape)
                return function(y[counts], classes[counts]) if counts.any() else np.nan

            return value

        iou = of_positions(
            lambda y, x: float(sklearn.jaccard_score(y, x, average="macro", zero_division=0))
        )
        check("miou", outputs, labels, iou)
        check("pixel-accuracy", outputs, labels, of_positions(sklearn.accuracy_score))
    nothing = np.full((2, 4, 5), 255)
    assert np.isnan(find_metric("miou").score(outputs[:2], nothing, 0.5))
    assert np.isnan(find_metric("pixel-accuracy").score(outputs[:2], nothing, 0.5))


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3), (5, 4, 1)])
@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_image_metrics_equal_those_of_scikit_image(shape: tuple[int, ...], peak: float) -> None:
    rng = np.random.default_rng(1)
    y = peak * rng.random((8, *shape))
    outputs = (y + rng.normal(0, 0.1 * peak, y.shape)).astype(np.float32)
    outputs[0] = 0
    targets = record_array({"peak": np.full(8, peak), "values": y.astype(np.float32)})

    def mean(function: Callable[..., Any], **options: Any) -> Reference:
        return lambda y, x: float(
            np.mean(
                [
                    function(
                        target["values"].astype(float),
                        output.astype(float),
                        data_range=peak,
                        **options,
                    )
                    for target, output in zip(y, x, strict=True)
                ]
            )
        )

    check("psnr", outputs, targets, mean(peak_signal_noise_ratio))
    channels = {} if len(shape) == 2 else {"channel_axis": -1}
    window = 7 if min(shape[:2]) >= 7 else 3
    check("ssim", outputs, targets, mean(structural_similarity, **channels, win_size=window))


def test_an_image_without_error_has_a_psnr_of_100_db() -> None:
    images = np.ones((2, 8, 8), np.float32)
    targets = record_array({"peak": np.ones(2), "values": images})
    assert find_metric("psnr").score(images, targets, 0.0) == 100.0
    assert find_metric("ssim").score(images, targets, 0.0) == 1.0
