"""``edgepack export``, run as users run it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from conftest import (
    BIT_EXACT,
    HAS_TFLITE_RUNTIME,
    INTERPRETERS,
    ON_PHONES,
    PHONE_NOT_CHECKED,
    Bundle,
    Edgepack,
    export,
    files,
    lsb,
    needs_tflite_runtime,
    only,
    python,
)

from edgepack.quantization.verify import float_tensors
from edgepack.tflite.parser import read_tflite


def test_the_folder_contains_all_files(pruned_digits: Bundle) -> None:
    assert set(files(pruned_digits.folder)) == {
        *("float.tflite", "int8.tflite", "calibration.json", "report.json", "manifest.json"),
        *("report.html", "report.md"),
        *("firmware/digits/model.h", "firmware/digits/model.c"),
    }
    assert float_tensors(read_tflite((pruned_digits.folder / "int8.tflite").read_bytes())) == []


def test_the_report_has_the_measured_values(pruned_digits: Bundle) -> None:
    report = pruned_digits.report
    assert report["schema"] == 1
    assert report["passed"] is True
    assert report["comparison"]["samples"] == 400
    comparison = only(report)
    assert comparison["metric"] == "accuracy"
    assert comparison["float"] > 0.94
    assert comparison["pruned"]["value"] > 0.94
    assert set(comparison["int8"]) == INTERPRETERS == set(report["runtimes"])
    for score in comparison["int8"].values():
        assert score["value"] >= comparison["float"] - 0.02
        assert score["agreement"] > 0.95
    assert {name: target["verdict"] for name, target in report["targets"].items()} == {
        "android-arm64": ON_PHONES,
        "nano-33-ble-sense": "passed",
    }
    assert len(report["notes"]) == (0 if HAS_TFLITE_RUNTIME else 1)  # that it is missing


@needs_tflite_runtime
def test_tflm_equals_the_reference_kernels_bit_for_bit(pruned_digits: Bundle, cnn: Bundle) -> None:
    for bundle in (pruned_digits, cnn):
        tflm = bundle.report["runtimes"]["tflm"]
        (deviation,) = tflm["deviations"].values()
        assert deviation == {"max_lsb": 0, "mean_lsb": 0.0, "argmax_disagreements": 0}


def test_the_arena_is_measured_on_tflm(pruned_digits: Bundle, cnn: Bundle) -> None:
    for bundle in (pruned_digits, cnn):
        assert 0 < bundle.report["runtimes"]["tflm"]["arena_bytes"] < 262144
        assert bundle.report["runtimes"]["litert"]["arena_bytes"] is None


def test_sparsity_is_measured_by_layer_and_survives_quantization(pruned_digits: Bundle) -> None:
    sparsity = pruned_digits.report["sparsity"]
    assert sparsity["overall"] == pytest.approx(0.5, abs=0.005)
    assert set(sparsity["layers"]) == {"conv2d", "conv2d_1", "dense", "dense_1"}
    for value in sparsity["layers"].values():
        assert value == pytest.approx(0.5, abs=0.01)
    assert len(sparsity["int8"]["layers"]) == 4
    assert sparsity["int8"]["overall"] >= sparsity["overall"]


def test_the_report_records_how_the_model_was_pruned(pruned_digits: Bundle, cnn: Bundle) -> None:
    assert pruned_digits.report["pruning"] == {
        "way": "wrappers",
        "runtime": "Keras",
        "trained": {
            "losses": {"dense_1": "sparse_categorical_crossentropy"},
            "optimizer": "Adam",
            "learning_rate": pytest.approx(0.001),
            "epochs": 3,
        },
        "left_out": {},
        "why_not_carried": None,
    }
    assert cnn.report["pruning"] is None
    assert "fine-tuned 3 epochs, Adam from 0.001" in pruned_digits.stdout
    assert "zeros     50.0% of the float weights" in pruned_digits.stdout


def test_without_training_data_pruning_is_one_shot(models: Path, tmp_path: Path) -> None:
    data = models / "cnn.npz"
    ways = {}
    for name in ("cnn.h5", "cnn3.keras"):
        exported = export(
            tmp_path / name,
            models / name,
            *("--representative", data, "--test", data, "--sparsity", 0.75),
        )
        report = exported.report
        assert "in one shot, not fine-tuned" in exported.stdout
        assert "(TFMOT does not prune such layers): depthwise_conv2d" in exported.stdout
        assert report["pruning"]["trained"] is None
        assert list(report["pruning"]["left_out"]) == ["depthwise_conv2d"]
        ways[name] = report["pruning"]["way"]
        layers = report["sparsity"]["layers"]
        assert layers["conv2d"] == pytest.approx(0.75, abs=0.03)
        assert layers["dense"] == pytest.approx(0.75, abs=0.03)
        assert layers["depthwise_conv2d"] == 0
        assert report["sparsity"]["int8"]["overall"] >= report["sparsity"]["overall"]
        assert only(report)["pruned"]["max_abs_error"] > 0
    assert ways == {"cnn.h5": "wrappers", "cnn3.keras": "carried"}


def test_artifacts_and_manifest_describe_the_files(pruned_digits: Bundle, digits: Path) -> None:
    contents = files(pruned_digits.folder)
    manifest = json.loads(contents["manifest.json"])
    for listing in (pruned_digits.report["artifacts"], manifest["artifacts"]):
        for name, artifact in listing.items():
            assert artifact["bytes"] == len(contents[name])
            assert artifact["sha256"] == sha256(contents[name]).hexdigest()
    assert set(manifest["artifacts"]) == set(contents) - {"manifest.json"}
    config = manifest["recipe"]
    assert config["model"] == {
        "name": "digits.h5",
        "bytes": (digits / "digits.h5").stat().st_size,
        "sha256": sha256((digits / "digits.h5").read_bytes()).hexdigest(),
    }
    (step,) = config["compress"]
    assert step["sparsity"] == 0.5
    assert step["fine_tune"]["epochs"] == 3
    assert config["targets"] == ["android-arm64", "nano-33-ble-sense"]
    assert {"edgepack", "python", "tensorflow", "tflite-micro"} <= set(manifest["versions"])
    assert manifest["processor"].keys() == {"architecture", "vectors"}


def test_the_folder_is_reproducible_in_another_place_and_time(
    digits: Path, pruned_digits: Bundle, tmp_path: Path
) -> None:
    for name in ("digits.h5", "calibration.npz", "train.npz", "test.npz"):
        (tmp_path / name).write_bytes((digits / name).read_bytes())
    again = export(
        tmp_path / "elsewhere" / "out",
        tmp_path / "digits.h5",
        *("--representative", tmp_path / "calibration.npz", "--test", tmp_path / "test.npz"),
        *("--train", tmp_path / "train.npz", "--sparsity", 0.5, "--epochs", 3),
    )
    assert files(again.folder) == files(pruned_digits.folder)
    assert again.stdout == pruned_digits.stdout


def test_the_printed_table_is_short_and_complete(pruned_digits: Bundle) -> None:
    lines = pruned_digits.stdout.splitlines()
    assert lines[0].split() == [
        *("model", "interpreter", "accuracy", "agreement", "SQNR"),
        *("max", "error", "off", "reference"),
    ]
    models = [line.split()[0] for line in lines[1 : 3 + len(INTERPRETERS)]]
    assert models == ["float", "pruned", *["int8"] * len(INTERPRETERS)]
    verdict = "RUNS on 2 targets; " if HAS_TFLITE_RUNTIME else f"{PHONE_NOT_CHECKED}; "
    assert lines[-1].startswith(verdict)
    assert "; accuracy 0.9" in lines[-1]
    assert max(map(len, lines[:-1])) <= 100
    steps = [line.split()[0] for line in pruned_digits.stderr.split("\n\n")[0].splitlines()]
    order = "load lint prune convert calibrate quantize validate compare"
    assert steps == order.split()


def test_without_labels_float_and_int8_outputs_are_compared(cnn: Bundle) -> None:
    assert cnn.report["comparison"]["data"] == "representative"
    comparison = only(cnn.report)
    assert comparison["metric"] is None
    assert comparison["float"] is None
    for score in comparison["int8"].values():
        assert score["value"] is None
        assert 0 <= score["agreement"] <= 1
        assert score["sqnr_db"] > 10
        assert score["max_abs_error"] > 0
    assert "accuracy" not in cnn.stdout


def test_an_autoencoder_is_measured_against_its_own_input(models: Path, tmp_path: Path) -> None:
    data = models / "vector.npz"
    report = export(
        tmp_path / "out",
        models / "autoencoder.h5",
        *("--representative", data, "--test", data, "--metric", "reconstruction-mse"),
    ).report
    comparison = only(report)
    assert comparison["metric"] == "reconstruction-mse"
    for score in comparison["int8"].values():
        assert score["value"] == pytest.approx(comparison["float"], rel=0.05)
        assert score["agreement"] is None


@pytest.mark.parametrize("name", ["cnn_legacy.keras", "cnn_saved_model", "cnn3.keras", "cnn3.h5"])
def test_every_format_of_both_keras_versions_exports(
    models: Path, tmp_path: Path, name: str
) -> None:
    data = models / "cnn.npz"
    report = export(
        tmp_path / "out",
        models / name,
        *("--representative", data, "--test", data, "--target", "nano-33-ble-sense"),
    ).report
    assert report["passed"]
    assert set(report["runtimes"]) == {"tflm"}
    assert only(report)["metric"] == "accuracy"


@pytest.mark.parametrize("name", ["cnn.h5", "cnn_legacy.keras", "cnn3.keras", "cnn3.h5"])
def test_a_model_format_is_detected_by_content_not_by_name(
    models: Path, tmp_path: Path, name: str
) -> None:
    model = tmp_path / "checkpoint"
    model.write_bytes((models / name).read_bytes())
    exported = export(tmp_path / "out", model, "--representative", models / "cnn.npz")
    assert (exported.folder / "firmware" / "checkpoint" / "model.h").is_file()


def test_dynamic_dimensions_take_the_size_of_the_data(models: Path, tmp_path: Path) -> None:
    exported = export(tmp_path / "out", models / "open.h5", "--representative", models / "cnn.npz")
    graph = read_tflite((exported.folder / "int8.tflite").read_bytes()).main
    assert graph.input_tensors[0].shape == (1, 8, 8, 1)


def test_integer_inputs_stay_integers(models: Path, tmp_path: Path) -> None:
    data = tmp_path / "tokens.npz"
    np.savez(data, x=np.random.default_rng(0).integers(0, 20, (30, 5)))
    exported = export(tmp_path / "out", models / "tokens.h5", "--representative", data)
    graph = read_tflite((exported.folder / "int8.tflite").read_bytes()).main
    assert [tensor.dtype for tensor in graph.input_tensors] == ["int32"]
    assert [tensor.dtype for tensor in graph.output_tensors] == ["int8"]
    assert lsb(exported.report, "tflm") == BIT_EXACT


def test_a_binary_model_with_logits_is_measured_by_their_sign(models: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=(x.sum(axis=1) > 0).astype(int))
    data = tmp_path / "data.npz"
    report = export(
        tmp_path / "out", models / "logit.h5", "--representative", data, "--test", data
    ).report
    assert only(report)["float"] == 1.0


@needs_tflite_runtime
def test_tflm_does_not_fail_for_a_defect_of_the_reference_kernels(
    models: Path, tmp_path: Path
) -> None:
    """Those of tflite-runtime 2.14 compute a per-channel FULLY_CONNECTED of rank 3 incorrectly."""
    exported = export(
        tmp_path / "out",
        models / "time_distributed.h5",
        *("--representative", models / "sequence.npz"),
    )
    (note,) = exported.report["notes"]
    assert "they are in doubt" in note
    assert f"note: {note}" in " ".join(exported.stdout.split())
    assert lsb(exported.report, "tflm") is None
    for score in only(exported.report)["int8"].values():
        assert score["sqnr_db"] > 25


def test_an_operator_that_a_target_lacks_fails_only_that_target(
    models: Path, edgepack: Edgepack, tmp_path: Path
) -> None:
    done = edgepack(
        "export", models / "gelu.h5", "--representative", models / "vector.npz",
        *("--output", tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["passed"] is False
    assert report["targets"]["android-arm64"]["verdict"] == ON_PHONES
    reasons = report["targets"]["nano-33-ble-sense"]["reasons"]
    refusal = "tflm fails: GELU of the layer 'gelu': Didn't find op for builtin opcode 'GELU'"
    assert reasons[-1] == refusal
    assert only(report)["int8"].keys() == INTERPRETERS - {"tflm"}
    assert "FAILED  nano-33-ble-sense: tflm fails: GELU of the layer 'gelu'" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("FAILED on nano-33-ble-sense: ")
    assert "GELU" in last
    on_phones = "runs on 1 of 2" if HAS_TFLITE_RUNTIME else PHONE_NOT_CHECKED
    assert f"; {on_phones}; int8 on " in last


def test_a_model_with_a_loop_is_refused_with_the_cure(models: Path, edgepack: Edgepack) -> None:
    done = edgepack(
        "export", models / "loop.tflite", "--representative", models / "sequence.npz",
        *("--output", "out"),
    )  # fmt: skip
    assert done.returncode == 1
    assert "contains a loop, whose activations cannot be quantized" in done.stderr
    assert "give the Keras model, whose recurrent layers edgepack unrolls" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_python_interface_does_the_same(models: Path, tmp_path: Path, cnn: Bundle) -> None:
    code = (
        "import sys, edgepack; from pathlib import Path\n"
        "models, output = map(Path, sys.argv[1:])\n"
        "config = edgepack.ExportConfig(model=models / 'cnn.h5', representative=models / 'cnn.npz',"
        " output=output)\n"
        "report = edgepack.export(config)\n"
        "assert isinstance(report, edgepack.ExportReport) and report.passed\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = python("-c", code, models, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert files(tmp_path / "out") == files(cnn.folder)


def test_tensorflow_prints_only_with_verbose(
    models: Path, edgepack: Edgepack, tmp_path: Path, cnn: Bundle
) -> None:
    assert "TensorFlow binary" not in cnn.stderr
    done = edgepack(
        "export", models / "cnn.h5", "--representative", models / "cnn.npz", "--verbose",
        *("--output", tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0
    assert "TensorFlow binary" in done.stderr


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("step", ["load", "prune"])
def test_an_interrupted_export_leaves_nothing(
    digits: Path, tmp_path: Path, signal_name: str, step: str
) -> None:
    import signal

    arguments = ["--representative", digits / "calibration.npz", "--output", tmp_path / "a" / "out"]
    arguments += ["--train", digits / "train.npz", "--epochs", "100"]
    command = [sys.executable, "-m", "edgepack", "export", digits / "digits.h5", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        if step == "prune":
            for before in ("load", "lint"):
                assert process.stderr.readline().startswith(before)
        else:
            while not (tmp_path / "a").exists():
                time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.Signals[signal_name])
        message = process.stderr.read()
        assert process.wait(20) == 130
    assert message.strip() == "interrupted"
    assert list(tmp_path.iterdir()) == []
