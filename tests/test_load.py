"""Models in every format and of every kind are loaded, or rejected with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import (
    BIT_EXACT,
    HAS_TFLITE_RUNTIME,
    INTERPRETERS,
    ROOT,
    Bundle,
    Edgepack,
    export,
    lsb,
    only,
    python,
    script,
)

from edgepack.config.model_source import ModelSource
from edgepack.load.tensorflow_environment import environment_variables
from edgepack.tflite.parser import read_tflite

KERASES = ("keras", "tf_keras")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models of every kind, and data (tests/kinds.py)."""
    return script("tests/kinds.py", tmp_path_factory.mktemp("kinds"))


def export_kind(kinds: Path, folder: Path, model: str, data: str, *options: object) -> Bundle:
    """Export a model, with its data both for calibration and for testing."""
    files = ("--representative", kinds / data, "--test", kinds / data)
    return export(folder / "out", kinds / model, *files, *options)


def assert_close_to_float(report: dict[str, Any]) -> None:
    for output in report["comparison"]["outputs"].values():
        assert set(output["int8"]) == INTERPRETERS
        for score in output["int8"].values():
            assert score["sqnr_db"] > 15


@pytest.mark.parametrize(
    ("model", "data", "options", "runtime"),
    [
        ("depthwise.h5", "image.npz", (), "Keras"),
        ("two_keras.keras", "two.npz", (), "Keras"),
        ("two_keras.json", "two.npz", ("--weights", "two_keras.weights.h5"), "Keras"),
        ("two_tf_keras.json", "two.npz", ("--weights", "two_tf_keras.weights.h5"), "Keras"),
        ("two_tf_keras.json", "two.npz", ("--weights", "two_legacy_weights.h5"), "Keras"),
        ("two_tf_keras.json", "two.npz", ("--weights", "two_checkpoint"), "Keras"),
        ("exported", "two.npz", (), "TensorFlow"),
        ("plain", "vector.npz", (), "TensorFlow"),
        ("image.tflite", "image.npz", (), "LiteRT"),
        ("subclassed_saved_model", "sequence.npz", (), "Keras"),
    ],
)
def test_every_format_is_loaded(
    kinds: Path,
    tmp_path: Path,
    model: str,
    data: str,
    options: tuple[str, ...],
    runtime: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(kinds)
    if data == "sequence.npz":
        arrays = dict(np.load(kinds / data))
        np.savez(tmp_path / data, x=arrays["x"])  # 'y' would be ambiguous with two outputs
        kinds_data = tmp_path / data
        report = export(
            tmp_path / "out", kinds / model, "--representative", kinds_data, *options
        ).report
        assert set(report["comparison"]["outputs"]) == {"scores", "hidden"}
    else:
        report = export_kind(kinds, tmp_path, model, data, *options).report
    assert report["float_runtime"] == runtime
    assert_close_to_float(report)
    assert report["sparsity"]["layers"]


def test_inputs_and_outputs_are_matched_by_name(kinds: Path, tmp_path: Path) -> None:
    exported = export_kind(kinds, tmp_path, "two_keras.keras", "two.npz")
    outputs = exported.report["comparison"]["outputs"]
    assert {name: output["metric"] for name, output in outputs.items()} == {
        "kind": "accuracy",
        "value": "mse",
    }
    assert lsb(exported.report, "tflm") == BIT_EXACT
    graph = read_tflite((exported.folder / "int8.tflite").read_bytes()).main
    assert [tensor.shape for tensor in graph.input_tensors] == [(1, 6), (1, 4)]
    assert [tensor.shape for tensor in graph.output_tensors] == [(1, 3), (1, 1)]
    assert "output kind\n" in exported.stdout
    assert "output value\n" in exported.stdout
    last = exported.stdout.splitlines()[-1]
    assert last.startswith("RUNS on 2 targets; " if HAS_TFLITE_RUNTIME else "NOT CHECKED on ")
    assert "; output kind: accuracy " in last
    assert "; output value: mean squared error " in last


@pytest.mark.parametrize("kit", KERASES)
def test_a_dictionary_of_inputs_is_matched_by_key(kinds: Path, tmp_path: Path, kit: str) -> None:
    model, data = f"swapped_{kit}.keras", f"swapped_{kit}.npz"
    training = ("--train", kinds / data, "--epochs", 2)
    report = export_kind(kinds, tmp_path, model, data, *training).report
    assert only(report)["float"] == pytest.approx(0, abs=1e-6)
    assert_close_to_float(export_kind(kinds, tmp_path / "plain", model, data).report)
    trained = report["pruning"]["trained"]  # as it was compiled
    assert trained["losses"] == {"out": "mean_absolute_error"} or "mae" in str(trained["losses"])
    assert trained["optimizer"] == "Adam"


def test_onednn_is_on_only_for_models_with_channels_first(kinds: Path) -> None:
    def is_on(model: str) -> bool:
        return "TF_ENABLE_ONEDNN_OPTS" in environment_variables(ModelSource(path=kinds / model))

    on = ("channels_first_keras.keras", "channels_first_tf_keras.keras", "graph_NCHW")
    off = ("mixed_keras.keras", "graph_NHWC", "exported", "plain", "image.tflite")
    assert [model for model in (*on, *off) if is_on(model)] == list(on)


def test_integers_in_a_float_input_are_rejected_with_the_cure(
    edgepack: Edgepack, kinds: Path
) -> None:
    done = edgepack(
        *("export", kinds / "float_tokens.keras"),
        *("--representative", kinds / "tokens.npz", "--output", "out"),
    )
    assert done.returncode == 1
    assert "set dtype='int32' in its Input layer" in done.stderr


def test_the_order_of_the_arrays_in_a_file_does_not_matter(kinds: Path, tmp_path: Path) -> None:
    arrays = dict(np.load(kinds / "two.npz"))
    np.savez(tmp_path / "reversed.npz", **dict(reversed(arrays.items())))
    one = export_kind(kinds, tmp_path / "one", "two_keras.keras", "two.npz")
    other = export_kind(kinds, tmp_path / "other", "two_keras.keras", tmp_path / "reversed.npz")
    assert one.report["comparison"] == other.report["comparison"]


@pytest.mark.parametrize("kit", KERASES)
@pytest.mark.parametrize(
    ("kind", "data"),
    [("preprocessed", "image.npz"), ("channels_first", "first.npz"), ("mixed", "image.npz")],
)
def test_preprocessing_channels_first_and_mixed_precision_are_supported(
    kinds: Path, tmp_path: Path, kind: str, data: str, kit: str
) -> None:
    report = export_kind(kinds, tmp_path, f"{kind}_{kit}.keras", data, "--sparsity", 0.5).report
    for score in only(report)["int8"].values():
        assert score["sqnr_db"] > only(report)["pruned"]["sqnr_db"] - 1
    assert report["pruning"]["way"] == ("carried" if kit == "keras" else "wrappers")
    assert report["sparsity"]["overall"] > 0.3
    note = "in its .tflite, not in float16 as it was saved: its outputs are more exact"
    assert any(each.endswith(note) for each in report["notes"]) == (kind == "mixed")


@pytest.mark.parametrize("kit", KERASES)
@pytest.mark.parametrize("kind", ["rolled", "open_sequence"])
def test_recurrent_layers_are_unrolled_and_the_report_notes_it(
    kinds: Path, tmp_path: Path, kind: str, kit: str
) -> None:
    exported = export_kind(kinds, tmp_path, f"{kind}_{kit}.keras", "sequence.npz")
    (note,) = [note for note in exported.report["notes"] if note.startswith("unrolled")]
    assert note.startswith("unrolled, because a loop cannot be quantized: ")
    assert "lstm" in note
    assert f"note: {note}" in " ".join(exported.stdout.split())
    sizes = [exported.report["artifacts"][f"{name}.tflite"]["bytes"] for name in ("int8", "float")]
    assert sizes[0] > sizes[1]
    (why,) = [note for note in exported.report["notes"] if "is larger than float.tflite" in note]
    assert why.endswith("an unrolled layer repeats its operators at every step")
    assert_close_to_float(exported.report)
    assert lsb(exported.report, "tflm") in (0, None)  # the reference kernels may be inconclusive


def test_unrolled_layers_result_in_the_same_bytes_every_time(kinds: Path, tmp_path: Path) -> None:
    models = [
        (
            export_kind(kinds, tmp_path / str(run), "rolled_tf_keras.keras", "sequence.npz").folder
            / "int8.tflite"
        ).read_bytes()
        for run in range(3)
    ]
    assert models[0] == models[1] == models[2]


@pytest.mark.parametrize(
    ("model", "data", "name"),
    [
        ("scale.keras", "vector.npz", "Scale"),
        ("twice.h5", "vector.npz", "Twice"),
        ("subclassed.keras", "sequence.npz", "Subclassed"),
    ],
)
def test_custom_objects_are_imported_if_they_are_named(
    kinds: Path,
    tmp_path: Path,
    model: str,
    data: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT / "tests")  # where own_layers.py is
    options = ("--custom-objects", f"own_layers:{name}", "--sparsity", 0.5)
    report = export_kind(kinds, tmp_path, model, data, *options).report
    assert (
        report["pruning"]["way"]
        == {
            "scale.keras": "carried",
            "twice.h5": "wrappers",
            "subclassed.keras": "callback",
        }[model]
    )
    assert report["sparsity"]["int8"]["overall"] > 0.4


@pytest.mark.parametrize(("is_legacy", "package"), [("0", "keras."), ("1", "tf_keras.")])
def test_layers_that_use_tf_keras_get_the_keras_of_the_model(
    tmp_path: Path, is_legacy: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", is_legacy)
    saved = python(ROOT / "tests" / "layers_by_tf_keras.py", tmp_path)
    assert saved.stdout.startswith(package)
    monkeypatch.chdir(ROOT / "tests")
    options = ("--custom-objects", "layers_by_tf_keras:Halve", "--sparsity", 0.5)
    report = export_kind(tmp_path, tmp_path, "halve.keras", "vectors.npz", *options).report
    assert report["pruning"]["way"] == ("wrappers" if is_legacy == "1" else "carried")


def export_error(edgepack: Edgepack, kinds: Path, *arguments: object) -> str:
    done = edgepack("export", *arguments, "--output", "out", cwd=kinds)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (kinds / "out").exists()
    return done.stderr.splitlines()[-1]


def test_unusable_models_are_rejected_with_the_cure(edgepack: Edgepack, kinds: Path) -> None:
    def error(model: str, *options: object, data: str = "vector.npz") -> str:
        return export_error(edgepack, kinds, model, "--representative", data, *options)

    assert "names 'own_layers.Scale', which is not on edgepack's list of Keras objects" in error(
        "scale.keras"
    )
    assert error("scale.keras").endswith("name it: --custom-objects own_layers:Scale")
    assert "if it is yours, name it: --custom-objects MODULE:Twice" in error("twice.h5")
    assert "math has no Twice" in error("twice.h5", "--custom-objects", "math:Twice")
    assert "nowhere cannot be imported" in error("twice.h5", "--custom-objects", "nowhere:Twice")
    assert "write module:NAME" in error("twice.h5", "--custom-objects", "Twice")
    assert "holds no weights; provide them with --weights" in error("two_keras.json")
    assert "has weights of its own" in error("twice.h5", "--weights", "two_legacy_weights.h5")
    assert "no such weights file" in error("two_keras.json", "--weights", "gone.h5")
    assert "not Keras weights" in error("two_keras.json", "--weights", "two.npz")
    assert "does not match the model of two_keras.json" in error(
        "two_keras.json", "--weights", "depthwise.h5", data="two.npz"
    )
    assert "is quantized already" in error("dynamic.tflite", data="image.npz")
    assert "no array 'left'; it holds x, y" in error("two_keras.keras")
    checkpoint_error = error("two_keras.json", "--weights", "two_checkpoint", data="two.npz")
    assert "is a TensorFlow checkpoint, which Keras 3 does not read" in checkpoint_error


def test_layers_that_tensorflow_lite_does_not_have_are_reported_with_the_cure(
    edgepack: Edgepack, kinds: Path
) -> None:
    done = edgepack(
        "export", kinds / "hashed.keras", "--representative", kinds / "tokens.npz", "--output", "o"
    )
    assert done.returncode == 1
    message = "TensorFlow Lite has no AsString and no StringToHashBucketFast; remove the layers"
    assert message in done.stderr


@pytest.mark.parametrize("model", ["plain", "image.tflite"])
def test_a_model_without_layers_is_pruned_in_one_shot_but_not_trained(
    edgepack: Edgepack, kinds: Path, tmp_path: Path, model: str
) -> None:
    data = "image.npz" if model == "image.tflite" else "vector.npz"
    arguments = (model, "--representative", data, "--train", data)
    error = export_error(edgepack, kinds, *arguments)
    assert "has no Keras layers, so it cannot be trained" in error
    assert "prune it in one shot, or provide the Keras model" in error
    exported = export_kind(kinds, tmp_path, model, data, "--sparsity", 0.5)
    assert exported.report["pruning"]["way"] == "file"
    assert exported.report["sparsity"]["int8"]["overall"] > 0.4
    assert "by TFMOT's masks on the file's weights" in exported.stdout


@pytest.mark.parametrize("name", ["lambda.h5", "lambda.keras", "lambda_saved_model"])
def test_unsafe_models_are_loaded_with_allow_unsafe(
    models: Path, tmp_path: Path, name: str
) -> None:
    exported = export(
        tmp_path / "out",
        models / name,
        *("--representative", models / "vector.npz", "--allow-unsafe"),
    )
    manifest = json.loads((exported.folder / "manifest.json").read_text())
    assert manifest["recipe"]["allow_unsafe"] is True
    assert exported.report["passed"]
