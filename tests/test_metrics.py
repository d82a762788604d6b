"""Metrics and comparisons, on numbers that can be checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgepack.calibration.dataset import Dataset
from edgepack.errors import DatasetError, RecipeError
from edgepack.evaluation.score import score, sqnr_db
from edgepack.metrics import METRICS, Measure, decision_boundary, measures
from edgepack.types import Signature, TensorSpec

SCORES = TensorSpec(name="scores", shape=(3,), dtype="float32")
YES = TensorSpec(name="yes", shape=(1,), dtype="float32")
IMAGE = TensorSpec(name="image", shape=(4, 4, 1), dtype="float32")


def dataset(y: Any, output: TensorSpec) -> Dataset:
    labels = {} if y is None else {output.name: np.asarray(y)}
    x = np.ones((2 if y is None else len(y), 3))
    return Dataset(source=Path("test.npz"), inputs={"x": x}, labels=labels)


def test_accuracy_counts_the_samples_whose_class_is_their_label() -> None:
    metric = METRICS["accuracy"]
    outputs = np.array([[0.1, 0.8, 0.1], [0.9, 0.0, 0.1], [0.2, 0.3, 0.5], [0.2, 0.5, 0.3]])
    labels = metric.wanted(dataset([1, 0, 2, 2], SCORES), SCORES)
    assert metric.score(outputs, labels, 0.5) == 0.75


def test_a_single_output_is_a_yes_from_one_half_on() -> None:
    metric = METRICS["accuracy"]
    labels = metric.wanted(dataset([[1], [0], [1]], YES), YES)
    outputs = np.array([[0.5], [0.49], [0.2]])
    assert metric.score(outputs, labels, decision_boundary(outputs)) == pytest.approx(2 / 3)


def test_a_single_logit_is_a_yes_from_zero_on() -> None:
    metric = METRICS["accuracy"]
    labels = metric.wanted(dataset([1, 0, 1], YES), YES)
    outputs = np.array([[0.1], [-0.1], [4.0]])
    assert metric.score(outputs, labels, decision_boundary(outputs)) == 1.0


def test_mean_squared_error_is_over_all_values() -> None:
    metric = METRICS["mse"]
    values = metric.wanted(dataset([1.0, 2.0], YES), YES)
    assert metric.score(np.array([[1.0], [4.0]]), values, 0.0) == 2.0


def test_reconstruction_compares_outputs_with_inputs() -> None:
    metric = METRICS["reconstruction-mse"]
    inputs = metric.wanted(dataset(None, SCORES), SCORES)
    assert metric.score(np.zeros((2, 3)), inputs, 0.0) == 1.0


@pytest.mark.parametrize(
    ("name", "y", "output", "said"),
    [
        ("accuracy", None, SCORES, "needs labels in 'y'"),
        ("accuracy", [0, 3], SCORES, "labels 0 to 3; the model knows the classes 0 to 2"),
        ("accuracy", [-1, 0], SCORES, "labels -1 to 0"),
        ("accuracy", [0, 2], YES, "the classes 0 to 1"),
        ("accuracy", [0.5, 1.0], SCORES, "'y' holds fractions"),
        ("accuracy", [[1, 0, 0], [0, 1, 0]], SCORES, "for one-hot labels save y.argmax"),
        ("mse", None, YES, "needs the wanted outputs"),
        ("mse", [[1.0, 2.0]], SCORES, r"'y' has shape \(1, 2\)"),
        ("mse", [1.0, 2.0], SCORES, "for class numbers choose the metric 'accuracy'"),
        ("mse", [1e300, 0.0], YES, "values beyond float32"),
    ],
)
def test_unfit_labels_are_refused(name: str, y: Any, output: TensorSpec, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        METRICS[name].wanted(dataset(y, output), output)


def test_a_metric_that_does_not_fit_the_model_is_refused() -> None:
    with pytest.raises(RecipeError, match="needs one score for each class"):
        METRICS["accuracy"].wanted(dataset([0, 1], IMAGE), IMAGE)
    with pytest.raises(RecipeError, match="compares outputs with inputs"):
        METRICS["reconstruction-mse"].wanted(dataset(None, IMAGE), IMAGE)


def test_the_labels_choose_the_metric_unless_it_is_named() -> None:
    def chosen(name: str | None, y: Any, output: TensorSpec) -> str | None:
        signature = Signature(inputs=(), outputs=(output,))
        found = measures(name, dataset(y, output), signature).get(output.name)
        return found and found.metric.name

    assert chosen(None, [0, 1], SCORES) == "accuracy"
    assert chosen(None, [0.0, 2.0], SCORES) == "accuracy"
    assert chosen(None, [[0], [1]], YES) == "accuracy"
    assert chosen(None, [3, 7], YES) == "mse"
    assert chosen(None, [0.5, 1.0], YES) == "mse"
    assert chosen(None, [[1, 0, 0], [0, 1, 0]], SCORES) == "mse"
    assert chosen(None, None, SCORES) is None
    assert chosen("mse", [0, 1], YES) == "mse"
    with pytest.raises(RecipeError, match="unknown metric 'f2': known metrics: accuracy"):
        chosen("f2", None, SCORES)


def test_each_output_is_measured_by_its_own_labels() -> None:
    data = Dataset(
        source=Path("test.npz"),
        inputs={"x": np.ones((2, 3)), "z": np.ones((2, 3))},
        labels={"scores": np.array([0, 2]), "yes": np.array([0.5, 7.0])},
    )
    signature = Signature(inputs=(), outputs=(SCORES, IMAGE, YES))
    found = measures(None, data, signature)
    assert {name: measure.metric.name for name, measure in found.items()} == {
        "scores": "accuracy",
        "yes": "mse",
    }
    assert list(measures("mse", data, signature)) == ["yes"]
    with pytest.raises(RecipeError, match="compares outputs with the input; the model has 2"):
        measures("reconstruction-mse", data, signature)


def test_without_labels_a_score_tells_agreement_noise_and_the_largest_error() -> None:
    float_outputs = np.array([[0.0, 1.0], [1.0, 0.0]])
    found = score(np.array([[0.0, 0.9], [0.4, 0.5]]), float_outputs, None)
    assert found.value is None
    assert found.agreement == 0.5
    assert found.max_abs_error == pytest.approx(0.6)
    assert 0 < found.mean_abs_error < 0.6
    assert found.sqnr_db == pytest.approx(10 * np.log10(2 / 0.62))


def test_agreement_is_told_only_where_outputs_are_classes() -> None:
    images = np.ones((2, 4, 4, 1))
    assert score(images, images, None).agreement is None
    rows = np.ones((2, 3))
    assert score(rows, rows, Measure(metric=METRICS["mse"], wanted=rows)).agreement is None
    values, yes = np.array([[7.0], [9.0]]), np.array([[0.2], [0.9]])
    assert score(values, values, None).agreement is None
    assert score(yes, yes, None).agreement == 1.0


def test_no_noise_has_no_ratio() -> None:
    ones = np.ones((2, 2))
    assert sqnr_db(ones, ones) is None
    assert sqnr_db(np.zeros((2, 2)), ones) is None
