"""A float .tflite computes what the model as given computes, or the conversion fails."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Edgepack, export, only, python, script, told_by
from tiny import Value, one_operator

from edgepack.conversion import same_outputs
from edgepack.pipeline.steps.model_steps import not_compared_notes


@pytest.fixture(scope="module")
def converted() -> dict[str, Any]:
    return told_by("converted.py")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that conversion changes, or would change."""
    return script("tests/converted.py", tmp_path_factory.mktemp("converted"))


@pytest.mark.parametrize("kit", ["keras", "tf_keras"])
def test_recurrent_layers_with_masks_compute_the_same_unrolled_and_are_left_as_they_were(
    converted: dict[str, Any], kit: str
) -> None:
    assert converted[kit]["difference"] <= 1e-6
    assert converted[kit]["is_same"]


def test_a_model_with_masks_is_exported_with_its_own_outputs_as_the_reference(
    written: Path, tmp_path: Path
) -> None:
    data = ("--representative", written / "sentences.npz", "--test", written / "sentences.npz")
    options = ("--scheme", "float16", "--target", "android-arm64")
    report = export(tmp_path / "out", written / "masked.keras", *data, *options).report
    assert only(report)["float"] == 1.0  # its labels are its own predictions
    assert any(note.startswith("unrolled") for note in report["notes"])


def fails(done: CompletedProcess[str], folder: Path) -> str:
    """Return the message of a command that must fail, and write nothing."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not folder.exists()
    return done.stderr


@pytest.mark.parametrize(
    ("command", "kit", "name"),
    [("export", "keras", "Traced"), ("debug", "tf_keras", "LegacyTraced")],
)
def test_a_conversion_that_changes_the_model_fails_and_names_the_first_layer(
    written: Path, tmp_path: Path, command: str, kit: str, name: str
) -> None:
    arguments = ("--representative", written / "image.npz", "--output", tmp_path / "out")
    own = ("--custom-objects", f"own_layers:{name}")
    model = written / f"traced_{kit}.keras"
    done = python("-m", "edgepack", command, model, *arguments, *own, cwd=ROOT / "tests")
    message = fails(done, tmp_path / "out")
    assert "the conversion to .tflite changes the model: the output 'dense" in message
    assert "for 40 samples, more than the 1e-04 that rounding explains" in message
    layer = f"the first layer that differs is 'inner/traced' ({name}) or 'inner/depthwise_conv2d"
    assert layer in message
    assert "by 1.0e-02 of the largest value of its output" in message
    assert "give edgepack the float .tflite" in message


def test_a_float_tflite_made_by_the_user_is_its_own_reference_and_a_comparison_holds_it_too(
    edgepack: Edgepack, written: Path, tmp_path: Path
) -> None:
    data = ("--representative", written / "image.npz")
    options = ("--scheme", "float16", "--target", "android-arm64")
    quantized = export(tmp_path / "own", written / "traced.tflite", *data, *options)
    candidate = quantized.folder / "float16.tflite"
    done = edgepack(
        *("compare", written / "traced_keras.keras", candidate, "--test", written / "image.npz"),
        *("--custom-objects", "own_layers:Traced", "--output", tmp_path / "out"),
        cwd=ROOT / "tests",
    )
    assert "the first layer that differs is 'inner/traced'" in fails(done, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("saved functions", "its operators are not layers of Keras, so which one differs first"),
        ("integers differ", "% of its values for 40 samples, more than 0.1%"),
        ("integers differ", "no layer could be found that differs"),
        ("shapes differ", "has the shape (5,) rather than (4,)"),
    ],
)
def test_whatever_differs_is_told(converted: dict[str, Any], name: str, message: str) -> None:
    assert message in converted[name]


def test_integers_random_numbers_and_fixed_batches_are_compared_as_far_as_possible(
    converted: dict[str, Any],
) -> None:
    assert converted["integers"] == ["", {}]
    assert converted["batch of one"] == ["", {}]
    (name, why), *others = converted["noisy"][1].items()
    assert (name, others) == ("random", [])
    assert why == "the float model outputs something else each time it runs on the same samples"


def test_an_output_that_rounding_decides_is_not_compared(converted: dict[str, Any]) -> None:
    message, not_compared = converted["rounded"]
    assert not message
    (why,) = not_compared.values()
    assert why.startswith("rounding decides its values, which differ between")


def test_an_output_that_was_compared_and_is_the_same_is_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Although XNNPACK's kernels round it otherwise."""
    runs = [np.float32([[1.1], [2.0]]), np.float32([[1.2], [2.2]])]  # LiteRT's own, then XNNPACK
    monkeypatch.setattr(same_outputs, "_run", lambda *_: [*runs.pop(0)[..., np.newaxis]])
    model: Any = SimpleNamespace(
        predict=lambda _: [np.float32([[1.0]]), np.float32([[2.0]])],
        signature=SimpleNamespace(outputs=[SimpleNamespace(name=name) for name in ("a", "b")]),
    )
    file = one_operator("RELU", [Value((1, 1))], [Value((1, 1))])
    assert [*same_outputs.require_same_outputs(model, file, [np.zeros((1, 1))])] == ["a"]


def test_outputs_that_are_not_finite_are_left_to_the_calibration(
    converted: dict[str, Any],
) -> None:
    assert converted["not finite"] == ["", {}]


def test_models_that_compute_across_samples_are_refused_with_the_cure(
    converted: dict[str, Any],
) -> None:
    assert "of a sample depends on which samples are computed with it" in converted["any batch"][0]
    assert "build the model with batch_size=1, or" in converted["any batch"][0]


def test_outputs_that_are_not_compared_are_noted() -> None:
    notes = not_compared_notes({"not_compared": {"random": "it is drawn", "noise": "it hums"}})
    assert [*notes] == [
        "the output 'random' was not held against float.tflite: it is drawn",
        "the output 'noise' was not held against float.tflite: it hums",
    ]
    assert not [*not_compared_notes({"not_compared": {}})]
