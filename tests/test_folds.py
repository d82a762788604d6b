"""Cross-validation of the calibration."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny
from conftest import Bundle
from numpy.typing import NDArray

from edgepack.config.compare import CompareConfig
from edgepack.config.export import ExportConfig
from edgepack.config.firmware import NamedModel
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import Update
from edgepack.evaluation.evaluate import Evaluator
from edgepack.metrics import METRICS, Measure
from edgepack.pipeline.comparison import folds
from edgepack.pipeline.comparison.compare import compare
from edgepack.pipeline.comparison.folds import FoldPlan
from edgepack.pipeline.comparison.splits import choose_calibration_samples, choose_folds, subset
from edgepack.report.data.compare import Fold, Origin
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import load_array, save_arrays
from edgepack.storage.dataset import Dataset, labels_by_class
from edgepack.storage.manifest import CalibrationSettings

FOLDS = 3


def config(model: Path, candidate: Path, test: Path, **changes: Any) -> CompareConfig:
    candidates = (NamedModel(path=candidate, name="candidate"),)
    return CompareConfig(
        model=model, candidates=candidates, test=test, **{"folds": FOLDS, **changes}
    )


class Steps:
    """Records the progress that each step reports, by the step's label."""

    def __init__(self) -> None:
        self.updates: dict[str, list[tuple[int, int]]] = {}

    def step(self, label: str) -> nullcontext[Update]:
        updates = self.updates.setdefault(label, [])
        return nullcontext(lambda done, total, _detail="": updates.append((done, total)))


def accuracy(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    return float((scores.argmax(axis=1) == labels).mean())


def run_by_hand(model: Path, x: NDArray[Any]) -> NDArray[Any]:
    """Run an int8 model on LiteRT, in this process."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model))
    interpreter.allocate_tensors()
    (model_input,), (output,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    scale, zero_point = model_input["quantization"]
    outputs = []
    for sample in x:
        steps = np.round(sample[np.newaxis] / np.float32(scale)) + zero_point
        interpreter.set_tensor(model_input["index"], np.clip(steps, -128, 127).astype(np.int8))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(output["index"])[0])
    return np.array(outputs)


def test_a_fold_is_quantized_as_the_candidate_was(
    pruned_digits: Bundle, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The calibration samples of the first fold are those of the export, so its file must be equal.
    candidate = pruned_digits.folder / "int8.tflite"
    calibrated = np.load(digits / "calibration.npz")["x"]
    test = np.load(digits / "test.npz")
    labels = np.arange(len(calibrated) * FOLDS // (FOLDS - 1)) % 10
    masks, why_unstratified = choose_folds(labels, len(labels), FOLDS, "")
    x = np.empty((len(labels), *calibrated.shape[1:]), np.float32)
    for mask in masks[1:]:
        assert not (mask & masks[0]).any()
    x[~masks[0]] = calibrated
    of_class = {label: iter(test["x"][test["y"] == label]) for label in range(10)}
    x[masks[0]] = [next(of_class[label]) for label in labels[masks[0]]]
    np.savez(tmp_path / "test.npz", x=x, y=labels)
    quantize, files = folds.model_steps.quantize_model, []

    def recorded(job: Any) -> Any:
        result = quantize(job)
        files.append(job.quantized_tflite.read_bytes())
        return result

    monkeypatch.setattr(folds.model_steps, "quantize_model", recorded)
    steps = Steps()
    report = compare(
        config(digits / "digits.h5", candidate, tmp_path / "test.npz", is_cached=False), steps
    ).folds
    assert report is not None
    assert why_unstratified is None
    assert files[0] == candidate.read_bytes()
    assert len({*files}) == FOLDS
    first = report.folds[0]
    by_hand = accuracy(run_by_hand(candidate, x[masks[0]]), labels[masks[0]])
    assert first.value == pytest.approx(by_hand, abs=1e-12)
    assert first.value > 0.8
    assert first.loss == pytest.approx(100 * (first.float_value - first.value))
    assert [fold.samples for fold in report.folds] == [int(mask.sum()) for mask in masks]
    assert (report.metric, report.is_stratified) == ("accuracy", True)
    assert report.settings == (
        "int8, observer min-max, calibrated with all samples of the other folds"
    )
    values = [fold.value for fold in report.folds]
    assert report.mean == pytest.approx(np.mean(values))
    assert report.deviation == pytest.approx(np.std(values, ddof=1))
    losses = [fold.loss for fold in report.folds]
    assert report.mean_loss == pytest.approx(np.mean(losses))
    assert report.loss_deviation == pytest.approx(np.std(losses, ddof=1))
    assert [label for label in steps.updates if label in ("load", "folds")] == ["load", "folds"]
    assert steps.updates["folds"] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def recorded_origin(**config: Any) -> Origin:
    return Origin(recipe=config, versions={}, notes=(), c_array=None, is_same_as_c=None)


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (
            recorded_origin(quantization={"scheme": "float16"}),
            "does not record how it was quantized",
        ),
        (recorded_origin(samples="all"), "does not record how it was quantized"),
        (
            recorded_origin(ranges={"name": "ranges.json"}),
            "its ranges were given with --ranges, so nothing is calibrated",
        ),
        (
            recorded_origin(
                quantization={
                    "scheme": "dynamic-range",
                    "layers": [],
                    "input_type": None,
                    "output_type": None,
                    "dense": None,
                }
            ),
            "the scheme dynamic-range has no activation ranges, so nothing is calibrated: leave",
        ),
    ],
)
def test_a_candidate_without_calibration_is_refused_at_once(
    tmp_path: Path, recorded: Origin, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "find_origin", lambda _: recorded)
    with pytest.raises(ConfigError, match=why):
        compare(config(tmp_path, tmp_path / "x.tflite", tmp_path / "none.npz"))


def test_without_labels_the_message_names_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(tiny.one_operator("RELU", [tiny.Value((1, 4))], [tiny.Value((1, 4))]))
    np.savez(tmp_path / "test.npz", x=np.zeros((4, 4), np.float32))
    without_labels = config(path, path, tmp_path / "test.npz")
    with pytest.raises(ConfigError, match=r"test\.npz: folds are .*'y', or choose the metric"):
        compare(without_labels)


def test_a_model_of_unknown_origin_is_quantized_by_default() -> None:
    settings = folds._settings(Path("alone.tflite"), None)
    assert settings == CalibrationSettings()
    assert (settings.quantization.scheme, settings.observer) == ("int8", "min-max")
    some = folds._settings_text(replace(settings, samples=1000, seed=7))
    assert some == (
        "int8, observer min-max, calibrated with 1,000 samples (seed 7) of the other folds"
    )


def labelled(y: NDArray[Any] | None) -> Dataset:
    inputs = {"x": np.zeros((11, 1))}
    return Dataset(source="test.npz", inputs=inputs, labels={} if y is None else {"scores": y})


@pytest.mark.parametrize(
    ("y", "why_unstratified"),
    [
        (np.repeat([0, 1, 2], 4), None),
        (np.repeat([0.0, 1.0], 4)[:, np.newaxis], None),
        (np.array([0] * 9 + [1] * 2), "class 1 has only 2 samples"),
        (np.array([0] * 9 + [7.0]), "class 7 has only 1 sample"),
        (np.linspace(0, 1, 11), "there are no class labels"),
        (np.zeros((11, 4)), "there are no class labels"),
        (None, "there are no class labels"),
    ],
)
def test_every_sample_is_held_out_once(
    y: NDArray[Any] | None, why_unstratified: str | None
) -> None:
    labels = labels_by_class(labelled(y), "scores")
    samples = 11 if y is None else len(y)
    masks, why = choose_folds(labels, samples, FOLDS, "test.npz")
    assert why == why_unstratified
    assert (np.sum(masks, axis=0) == 1).all()
    assert np.ptp([mask.sum() for mask in masks]) <= 1
    again, _ = choose_folds(labels, samples, FOLDS, "test.npz")
    np.testing.assert_array_equal(masks, again)
    if why_unstratified is None and labels is not None:
        counts = [np.unique(labels[mask], return_counts=True)[1].tolist() for mask in masks]
        assert np.ptp(counts, axis=0).max() <= 1


def test_more_folds_than_samples_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"folds 3: test\.npz has 2 samples; give more, or"):
        choose_folds(np.zeros(2, int), 2, FOLDS, "test.npz")


def test_as_many_samples_calibrate_as_in_the_export() -> None:
    config = ExportConfig(model=Path(), output=Path(), samples=4, seed=1)
    labels = np.repeat([0, 1], 8)
    others = np.arange(16) % 4 != 0
    chosen = choose_calibration_samples(config, others, labels)
    assert not (chosen & ~others).any()
    assert np.bincount(labels[chosen]).tolist() == [2, 2]
    assert choose_calibration_samples(replace(config, samples=None), others, labels) is others
    assert (choose_calibration_samples(replace(config, samples=99), others, labels) == others).all()


def test_some_samples_are_written_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 64)
    arrays = {
        "a/b": np.arange(80, dtype=np.float32).reshape(20, 4),
        "c": np.arange(20, dtype=np.int32).reshape(20, 1),
    }
    files = save_arrays(tmp_path / "whole", arrays)
    whole = Dataset(source="x", inputs=arrays, labels={}, files=files)
    mask = np.isin(np.arange(20), [0, 3, 4, 17])
    part = subset(whole, mask, tmp_path / "part")
    assert list(part.files) == ["a/b", "c"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(load_array(Path(part.files[name])), array[mask])
        np.testing.assert_array_equal(part.inputs[name], array[mask])
    assert len(part) == 4


def test_a_model_that_does_not_run_is_reported_with_its_fold() -> None:
    failed = Run(version="", failure="no kernel for GELU")
    with pytest.raises(ModelError, match="calibrated for fold 2: no kernel for GELU; leave"):
        folds._require_outputs(Path("x.tflite"), 2, failed)


def plan(name: str, recorded: Origin | None) -> FoldPlan:
    return FoldPlan(
        count=3, candidate=Path(f"x/{name}.tflite"), origin=recorded, settings=CalibrationSettings()
    )


def test_remarks_report_what_the_reader_must_know() -> None:
    data: Any = SimpleNamespace(measures={"a": 1, "b": 2})
    remarks = folds._remarks(plan("alone", None), data, "a", "of class 1 there are 2")
    assert list(remarks) == [
        "the defaults, since no manifest records how alone.tflite was quantized",
        "measured on the output 'a'",
        "not stratified: of class 1 there are 2",
    ]
    lone: Any = SimpleNamespace(measures={"a": 1})
    remarks = folds._remarks(
        plan("int8", recorded_origin(prune={"sparsity": 0.5})), lone, "a", None
    )
    assert list(remarks) == ["not pruned, since float.tflite is not beside it"]
    assert not list(folds._remarks(plan("int8", recorded_origin(prune=None)), lone, "a", None))


def test_the_loss_is_not_averaged_if_that_of_a_fold_is_unknown() -> None:
    known = Fold(samples=2, float_value=0.5, value=0.25, loss=25.0)
    odd = Fold(samples=2, float_value=0.0, value=0.25, loss=None)
    report = folds._report("mse", [known, odd], "", is_stratified=False)
    assert (report.mean, report.deviation) == (0.25, 0.0)
    assert (report.mean_loss, report.loss_deviation) == (None, None)


def test_an_undefined_metric_is_reported_with_its_fold() -> None:
    labels, outputs = np.zeros(4, int), np.linspace(0, 1, 4)[:, np.newaxis]
    measure = Measure(metric=METRICS["roc-auc"], wanted=labels)
    evaluator, mask = Evaluator(outputs, [measure]), np.arange(4) > 0
    value = evaluator.value(outputs[1:], None, mask)
    with pytest.raises(ConfigError, match="'roc-auc': is undefined on the 3 samples of fold 2"):
        folds._fold(measure, 2, mask, evaluator.float_value(mask), value)


def test_folds_are_scored_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    outputs, quantized = random.random((2, 50, 3)).astype(np.float32)
    y = random.integers(0, 3, 50)
    mask = random.random(50) < 0.4
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 64)
    measure = Measure(metric=METRICS["accuracy"], wanted=y)
    evaluator = Evaluator(outputs, [measure])
    value = evaluator.value(quantized[mask], None, mask)
    assert evaluator.value(quantized, None, mask) == value
    fold = folds._fold(measure, 1, mask, evaluator.float_value(mask), value)
    assert fold.samples == mask.sum()
    assert fold.float_value == pytest.approx(accuracy(outputs[mask], y[mask]))
    assert fold.value == pytest.approx(accuracy(quantized[mask], y[mask]))
