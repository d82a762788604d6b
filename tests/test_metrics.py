"""Metrics on small examples, their choice by the labels, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgepack.core.errors import ConfigError, DatasetError, MissingToolError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.metric_change import metric_loss
from edgepack.evaluation.paired_outputs import sqnr_db
from edgepack.evaluation.scores import OutputComparison, Score
from edgepack.metrics import (
    METRICS,
    Measure,
    Unit,
    choose_measures,
    choose_training_measures,
    decision_boundary,
    find_built_in_metric,
    find_metric,
    metrics_to_report,
)
from edgepack.storage.arrays import load_array, save_array
from edgepack.storage.dataset import Dataset

SCORES = TensorSpec(name="scores", shape=(3,), dtype="float32")
YES = TensorSpec(name="yes", shape=(1,), dtype="float32")
IMAGE = TensorSpec(name="image", shape=(4, 4, 1), dtype="float32")
PIXELS = TensorSpec(name="pixels", shape=(4, 4, 3), dtype="float32")
MANY = TensorSpec(name="many", shape=(12,), dtype="float32")


def dataset(y: Any, output: TensorSpec) -> Dataset:
    labels = {} if y is None else {output.name: np.asarray(y)}
    x = np.ones((2 if y is None else len(y), 3))
    return Dataset(source=Path("test.npz"), inputs={"x": x}, labels=labels)


def data(y: Any, output: TensorSpec, classes: tuple[str, ...] = ()) -> Dataset:
    """Make samples of the output's shape, as those of an autoencoder."""
    x = np.random.default_rng(0).random((len(y), *output.shape), np.float32)
    labels = {output.name: np.asarray(y)}
    return Dataset(source=Path("test.npz"), inputs={"x": x}, labels=labels, classes=classes)


def test_accuracy_counts_the_samples_whose_class_is_their_label() -> None:
    metric = METRICS["accuracy"]
    outputs = np.array([[0.1, 0.8, 0.1], [0.9, 0.0, 0.1], [0.2, 0.3, 0.5], [0.2, 0.5, 0.3]])
    labels = metric.wanted(dataset([1, 0, 2, 2], SCORES), SCORES)
    assert metric.score(outputs, labels, 0.5) == 0.75


def test_a_single_probability_predicts_class_1_from_one_half() -> None:
    metric = METRICS["accuracy"]
    labels = metric.wanted(dataset([[1], [0], [1]], YES), YES)
    outputs = np.array([[0.5], [0.49], [0.2]])
    assert metric.score(outputs, labels, decision_boundary(outputs)) == pytest.approx(2 / 3)


def test_a_single_logit_predicts_class_1_from_zero() -> None:
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
    ("name", "y", "output", "message"),
    [
        ("accuracy", None, SCORES, "needs labels in 'y'"),
        ("accuracy", [0, 3], SCORES, "labels 0 to 3; the model's classes are 0 to 2"),
        ("accuracy", [-1, 0], SCORES, "labels -1 to 0"),
        ("accuracy", [0, 2], YES, "classes are 0 to 1"),
        ("accuracy", [0.5, 1.0], SCORES, "'y' contains fractions"),
        ("accuracy", [1, 3], SCORES, "classes are 0 to 2: count from 0, save y - 1"),
        ("accuracy", [-1, 1], YES, r"classes are 0 to 1: save \(y \+ 1\) // 2"),
        ("accuracy", [[1, 0], [0, 1]], SCORES, "one-hot labels of 2 classes; the model has 3"),
        (
            "accuracy",
            [[1, 1, 0], [0, 1, 0]],
            SCORES,
            "if its largest values mark the classes, save",
        ),
        ("mse", None, YES, "needs target outputs"),
        ("mse", [[1.0, 2.0]], SCORES, r"'y' has shape \(1, 2\)"),
        ("mse", [1.0, 2.0], SCORES, "for class numbers choose the metric 'accuracy'"),
        ("mse", [1.5, 2.0], SCORES, "save one target for each value of the output"),
        ("mse", [1e300, 0.0], YES, "values beyond the range of float32"),
    ],
)
def test_unsuitable_labels_are_refused(name: str, y: Any, output: TensorSpec, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        METRICS[name].wanted(dataset(y, output), output)


def test_a_metric_that_does_not_fit_the_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs one score per class"):
        METRICS["accuracy"].wanted(dataset([0, 1], IMAGE), IMAGE)
    with pytest.raises(ConfigError, match="compares outputs with inputs"):
        METRICS["reconstruction-mse"].wanted(dataset(None, IMAGE), IMAGE)


def test_each_output_is_measured_by_its_own_labels() -> None:
    data = Dataset(
        source=Path("test.npz"),
        inputs={"x": np.ones((2, 3)), "z": np.ones((2, 3))},
        labels={"scores": np.array([0, 2]), "yes": np.array([0.5, 7.0])},
    )
    signature = Signature(inputs=(), outputs=(SCORES, IMAGE, YES))
    measures = choose_measures(None, data, signature)
    assert {name: measure.metric.name for name, measure in measures.items()} == {
        "scores": "accuracy",
        "yes": "mse",
    }
    assert list(choose_measures("mse", data, signature)) == ["yes"]
    with pytest.raises(ConfigError, match="compares outputs with the input; the model has 2"):
        choose_measures("reconstruction-mse", data, signature)


def score(outputs: Any, float_outputs: Any, *measures: Measure) -> Score:
    return Evaluator(float_outputs, measures).score(outputs, None)


def test_a_score_without_labels_has_agreement_noise_and_errors() -> None:
    float_outputs = np.array([[0.0, 1.0], [1.0, 0.0]])
    result = score(np.array([[0.0, 0.9], [0.4, 0.5]]), float_outputs)
    assert result.value is None
    assert result.agreement == 0.5
    assert result.max_abs_error == pytest.approx(0.6)
    assert 0 < result.mean_abs_error < 0.6
    assert result.sqnr_db == pytest.approx(10 * np.log10(2 / 0.62))


def test_only_class_scores_have_an_agreement() -> None:
    images = np.ones((2, 4, 4, 1))
    assert score(images, images).agreement is None
    rows = np.ones((2, 3))
    assert score(rows, rows, Measure(metric=METRICS["mse"], wanted=rows)).agreement is None
    own = Measure(metric=find_metric("numpy:vdot"), wanted=rows)
    assert score(rows, rows, own).agreement == 1.0
    values, yes = np.array([[7.0], [9.0]]), np.array([[0.2], [0.9]])
    assert score(values, values).agreement is None
    assert score(yes, yes).agreement == 1.0


def test_without_noise_there_is_no_sqnr() -> None:
    ones = np.ones((2, 2))
    assert sqnr_db(ones, ones) is None
    assert sqnr_db(np.zeros((2, 2)), ones) is None


@pytest.mark.parametrize(
    ("name", "y", "output", "error", "message"),
    [
        ("f1-macro", None, SCORES, DatasetError, "metric 'f1-macro' needs labels in 'y'"),
        ("top-3", [0, 1], SCORES, ConfigError, "'top-3' is always 1 for a model of 3 classes"),
        ("top-2", [0, 1], YES, ConfigError, "'top-2' is always 1 for a model of 2 classes"),
        ("r2", np.zeros((2, 4, 4, 1)), IMAGE, ConfigError, "'r2' needs a vector of values"),
        ("miou", [0, 1], SCORES, ConfigError, "needs class scores per position"),
        ("miou", [0, 1], PIXELS, DatasetError, "needs one class number per position"),
        ("miou", None, PIXELS, DatasetError, "needs the class of each position in 'y'"),
        ("miou", np.full((2, 4, 4), 3), PIXELS, DatasetError, "'y' contains labels 3 to 3; the"),
        ("miou", np.full((2, 4, 4), 0.5), PIXELS, DatasetError, "'y' contains fractions"),
        ("psnr", [0, 1], SCORES, ConfigError, "'psnr' needs images"),
        ("anomaly-auc", [0, 2], SCORES, DatasetError, "0 for normal samples and 1 for anomalies"),
        ("anomaly-auc", None, SCORES, DatasetError, "needs labels .0 normal, 1 anomalous. in 'y'"),
        ("my_metric:missing", [0, 1], SCORES, ConfigError, "my_metric cannot be imported"),
        ("math:missing", [0, 1], SCORES, ConfigError, "math has no function missing"),
        ("math:sqrt", None, SCORES, DatasetError, "metric 'math:sqrt' needs labels in 'y'"),
    ],
)
def test_every_metric_reports_what_it_needs(
    name: str, y: Any, output: TensorSpec, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        find_metric(name).wanted(dataset(y, output), output)


@pytest.mark.parametrize("name", ["top-1", "top-0", "top-x", "top-", "Accuracy", "a b:c"])
def test_unknown_metrics_are_not_found(name: str) -> None:
    assert find_built_in_metric(name) is None
    with pytest.raises(ConfigError, match="unknown metric"):
        find_metric(name)


def test_a_report_names_metrics_without_running_anything() -> None:
    assert find_built_in_metric("this:anything") is None
    assert find_built_in_metric("top-5") is not None


def test_labels_choose_maps_and_anomalies() -> None:
    def chosen(y: Any, output: TensorSpec) -> str:
        signature = Signature(inputs=(), outputs=(output,))
        return choose_measures(None, data(y, output), signature)[output.name].metric.name

    assert chosen(np.zeros((2, 4, 4), np.uint8), PIXELS) == "miou"
    assert chosen(np.zeros((2, 4, 4, 3), np.uint8), PIXELS) == "mse"
    assert chosen([0, 1, 1], MANY) == "anomaly-auc"
    assert chosen([0, 1, 1], IMAGE) == "anomaly-auc"
    assert chosen([0, 1, 2], MANY) == "accuracy"
    assert chosen([0, 1, 1], SCORES) == "accuracy"


def test_the_subfolder_of_normal_samples_is_found_by_its_name() -> None:
    folders = data([0, 0, 1, 2], MANY, classes=("broken", "Normal", "worn"))
    targets = find_metric("anomaly-auc").wanted(folders, MANY)
    assert list(targets[:]["label"]) == [1, 1, 0, 1]
    with pytest.raises(DatasetError, match="no subfolder is called 'normal'"):
        find_metric("anomaly-auc").wanted(data([0, 1], MANY, classes=("bad", "good")), MANY)


def test_targets_of_an_autoencoder_are_read_by_rows(tmp_path: Path) -> None:
    save_array(tmp_path / "x.npy", np.arange(48, dtype=np.float32).reshape(4, 12))
    x = load_array(tmp_path / "x.npy")
    labels = {"many": np.array([[0], [1], [0], [1]], np.uint8)}
    mapped = Dataset(source=Path("test.npz"), inputs={"x": x}, labels=labels)
    targets = find_metric("anomaly-auc").wanted(mapped, MANY)
    assert len(targets) == 4
    assert np.array_equal(targets[1:3]["values"], x[1:3])
    assert list(targets[1:3]["label"]) == [1, 0]


@pytest.mark.parametrize(
    ("values", "peak"),
    [
        (np.array([0, 1], np.uint8), 255.0),
        (np.array([0, 1], np.uint16), 65535.0),
        (np.array([0.0, 1.0]), 1.0),
        (np.array([-0.5, 0.5]), 2.0),
        (np.array([0, 200]), 255.0),
        (np.array([-3.0, 7.0]), 10.0),
    ],
)
def test_the_peak_of_images_depends_on_type_and_range(values: Any, peak: float) -> None:
    y = np.tile(values.reshape(2, 1, 1, 1), (1, 4, 4, 1))
    assert set(find_metric("psnr").wanted(data(y, IMAGE), IMAGE)[:]["peak"]) == {peak}


def test_the_first_of_equal_scores_is_the_higher() -> None:
    outputs, labels = np.array([[0.5, 0.5, 0.5]] * 3), np.array([0, 1, 2])
    assert list(find_metric("top-2").condense(outputs, labels, 0.5)) == [True, True, False]


def test_the_rest_of_the_family_that_fits_is_reported() -> None:
    def reported(name: str, y: Any, output: TensorSpec) -> list[str]:
        samples = data(y, output)
        metric = find_metric(name)
        measure = Measure(metric=metric, wanted=metric.wanted(samples, output))
        return [each.metric.name for each in metrics_to_report(measure, samples, output)]

    names, means = ("precision", "recall", "f1"), ("macro", "weighted")
    averaged = [f"{name}-{mean}" for mean in means for name in names]
    assert reported("accuracy", [0, 1], SCORES) == ["accuracy", "top-2", *averaged, "roc-auc"]
    assert reported("accuracy", [0, 1], YES) == ["accuracy", *averaged, "roc-auc"]
    assert reported("top-3", [0, 1], MANY) == ["top-3", "accuracy", "top-5", *averaged, "roc-auc"]
    assert reported("r2", [[0.0] * 3] * 2, SCORES) == ["r2", "mse", "mae"]
    assert reported("mse", np.zeros((2, 4, 4, 1)), IMAGE) == ["mse", "mae"]
    anomaly = ["reconstruction-mse", "anomaly-auc", "anomaly-pauc"]
    assert reported("reconstruction-mse", [0, 1], MANY) == anomaly
    assert reported("reconstruction-mse", [0.5, 1], MANY) == anomaly[:1]
    assert reported("pixel-accuracy", np.zeros((2, 4, 4)), PIXELS) == ["pixel-accuracy", "miou"]
    assert reported("psnr", np.zeros((2, 4, 4, 1)), IMAGE) == ["psnr", "ssim"]
    assert reported("math:fsum", [0, 1], SCORES) == ["math:fsum"]


def test_without_scikit_image_ssim_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgepack.core.packages.find_spec", lambda _: None)
    samples = data(np.zeros((2, 4, 4, 1)), IMAGE)
    with pytest.raises(MissingToolError, match=r"pip install 'scikit-image>="):
        find_metric("ssim").wanted(samples, IMAGE)
    measure = Measure(metric=find_metric("psnr"), wanted=find_metric("psnr").wanted(samples, IMAGE))
    assert metrics_to_report(measure, samples, IMAGE) == [measure]


def test_tiny_images_have_no_ssim() -> None:
    tiny = TensorSpec(name="tiny", shape=(2, 8, 1), dtype="float32")
    with pytest.raises(ConfigError, match="needs images of at least 3x3 pixels"):
        find_metric("ssim").wanted(data(np.zeros((2, 2, 8, 1)), tiny), tiny)


OWN = """
import numpy as np
def largest(targets, outputs): return np.abs(targets[:, None] - outputs).max()
largest.less_is_better = True
def mean(targets, outputs):
    assert len(set(targets)) > 1, "one class"
    return outputs[targets == 1].mean()
def words(targets, outputs): return "good"
def leaves(targets, outputs): raise SystemExit(3)
"""


def test_a_user_defined_function_is_a_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_metrics.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    targets, outputs = np.array([0, 1, 1]), np.array([[0.5], [2.0], [4.0]])
    largest, mean = find_metric("own_metrics:largest"), find_metric("own_metrics:mean")
    assert (largest.unit, largest.is_more_better, mean.is_more_better) == (Unit.PLAIN, False, True)
    assert largest.score(outputs, targets, 0.0) == 3.0
    lines = np.array([[1, 1, 1], [0, 2, 0], [1, 2, 1], [2, 0, 1]])
    values = mean.value(mean.condense(outputs, targets, 0.0), lines)
    np.testing.assert_allclose(values, [3.0, np.nan, 8 / 3, 4.0], equal_nan=True)
    assert metric_loss(largest, 2.0, 3.0) == 1.0
    assert metric_loss(mean, 2.0, 3.0) == -1.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mean", "metric 'own_metrics:mean': raised AssertionError: one class"),
        ("words", "metric 'own_metrics:words': returned a str; return one number for all samples"),
        ("leaves", "metric 'own_metrics:leaves': called sys.exit.3."),
    ],
)
def test_a_failing_function_is_reported_in_one_line(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_metrics.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        find_metric(f"own_metrics:{name}").score(np.ones((2, 1)), np.ones(2), 0.0)


def test_a_function_prints_to_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chatty.py").write_text(
        "def score(y, outputs):\n    print('hello')\n    return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert find_metric("chatty:score").score(np.zeros((2, 1)), np.zeros(2), 0.5) == 1
    assert capsys.readouterr() == ("", "hello\n")


def test_drops_are_in_the_unit_of_the_metric() -> None:
    assert metric_loss(find_metric("roc-auc"), 0.9, 0.8) == 10.0
    assert metric_loss(find_metric("mae"), 2.0, 3.0) == 50.0
    assert metric_loss(find_metric("mse"), 0.0, 3.0) == np.inf
    assert metric_loss(find_metric("psnr"), 30.0, 28.5) == 1.5


def test_an_undefined_metric_is_none() -> None:
    outputs = np.array([[0.2], [0.9]])
    metric = find_metric("roc-auc")
    measure = Measure(metric=metric, wanted=metric.wanted(dataset([1, 1], YES), YES))
    evaluator = Evaluator(outputs, [measure])
    scored = evaluator.score(outputs, None)
    assert evaluator.float_value() is scored.value is None
    compared = OutputComparison(
        metric=metric.name, float_value=None, pruned=None, quantized={"litert": scored}
    )
    assert compared.metric_result("litert").value is None


def test_fine_tuning_needs_a_metric_with_a_loss() -> None:
    signature = Signature(inputs=(), outputs=(MANY,))
    for name, y in (("anomaly-auc", [0.5, 7]), (None, [0, 1])):
        measures = choose_training_measures(name, data(y, MANY), signature)
        assert measures["many"].metric.name == "reconstruction-mse"
    pixels, maps = Signature(inputs=(), outputs=(PIXELS,)), data(np.zeros((2, 4, 4)), PIXELS)
    with pytest.raises(ConfigError, match="fine-tuning has no loss for the metric 'miou'"):
        choose_training_measures(None, maps, pixels)
