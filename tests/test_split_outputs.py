"""Outputs that join values of unlike ranges: a finding, and --split-outputs as its cure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import (
    BIT_EXACT,
    INTERPRETERS,
    PHONE,
    Bundle,
    Edgepack,
    export,
    files,
    lsb,
    only,
    python,
    script,
)
from test_schemas import OF_EXPORT

from edgepack.tflite.parser import read_tflite

LOST = "channels 4 to 6 (of 7, from 0)"


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models and data (tests/detectors.py)."""
    return script("tests/detectors.py", tmp_path_factory.mktemp("detectors"))


@pytest.fixture(scope="module")
def joined(detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The detector as it is, which fails."""
    folder = tmp_path_factory.mktemp("exports") / "joined"
    model, data = detectors / "detector.keras", detectors / "image.npz"
    done = python(
        *("-m", "edgepack", "export", model, "--representative", data, "--output", folder)
    )
    assert done.returncode == 1, done.stderr
    report = json.loads((folder / "report.json").read_text())
    return Bundle(folder, report, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def split(detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The detector with split outputs, measured on targets for the whole output."""
    return export(
        tmp_path_factory.mktemp("exports") / "split",
        detectors / "detector.keras",
        *("--representative", detectors / "image.npz", "--test", detectors / "labelled.npz"),
        "--split-outputs",
    )


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def found(report: Mapping[str, Any]) -> list[str]:
    """Return the messages of the check on every target."""
    return [
        finding["message"]
        for target in report["targets"].values()
        for finding in target["findings"]
        if finding["check"] == "channels_are_represented"
    ]


def test_scores_that_come_out_equal_fail_the_export(joined: Bundle) -> None:
    OF_EXPORT.validate(joined.report)
    for channels in only(joined.report)["channels"].values():
        (group,) = channels
        assert (group["where"], group["is_lost"]) == (LOST, True)
        assert group["steps"] < 1
    assert only(joined.report)["channels"].keys() == joined.report["runtimes"].keys()
    assert all(score["sqnr_db"] > 40 for score in only(joined.report)["int8"].values())
    assert len(found(joined.report)) == 2
    assert all(f"output detections: {LOST}, 0." in message for message in found(joined.report))
    text = in_one_line(joined.stdout)
    assert f"channels worst {LOST}: SQNR " in text
    assert "CONCATENATION joins them: export or quantize with --split-outputs" in text
    page = in_one_line((joined.folder / "report.md").read_text())
    assert f"Worst channels of detections: {LOST}: SQNR" in page


def test_each_part_gets_a_scale_of_its_own(split: Bundle) -> None:
    OF_EXPORT.validate(split.report)
    outputs = split.report["comparison"]["outputs"]
    assert list(outputs) == ["detections_0", "detections_1"]
    for output in outputs.values():
        assert output["metric"] == "mse"
        assert output["float"] == pytest.approx(0, abs=1e-6)
        assert "channels" not in output
        assert all(score["sqnr_db"] > 30 for score in output["int8"].values())
        assert output["int8"].keys() == INTERPRETERS
    assert not found(split.report)
    assert lsb(split.report, "tflm") == BIT_EXACT
    assert "split: detections into detections_0, detections_1" in split.report["notes"]
    for name in ("float", "int8"):
        graph = read_tflite((split.folder / f"{name}.tflite").read_bytes()).main
        assert [tensor.name for tensor in graph.output_tensors] == ["detections_0", "detections_1"]
        assert [tensor.shape for tensor in graph.output_tensors] == [(1, 4, 4), (1, 4, 3)]
        assert "CONCATENATION" not in {operator.name for operator in graph.operators}
    scales = [tensor.quant.scale[0] for tensor in graph.output_tensors if tensor.quant]
    assert scales[0] > 100 * scales[1]


def test_a_manifest_repeats_the_split(detectors: Path, split: Bundle, tmp_path: Path) -> None:
    again = export(
        tmp_path / "again",
        detectors / "detector.keras",
        *("--representative", detectors / "image.npz", "--test", detectors / "labelled.npz"),
        *("--config", split.folder / "manifest.json"),
    )
    assert files(again.folder) == files(split.folder)


def test_validations_find_it_beside_the_float_model(
    edgepack: Edgepack, detectors: Path, joined: Bundle, split: Bundle
) -> None:
    data = ("--test", detectors / "image.npz", "--target", "nano-33-ble-sense")
    done = edgepack("validate", joined.folder / "int8.tflite", *data)
    assert done.returncode == 1
    assert f"{LOST}, 0." in in_one_line(done.stdout)
    assert f"channels worst {LOST}: SQNR " in in_one_line(done.stdout)
    done = edgepack("validate", split.folder / "int8.tflite", *data)
    assert done.returncode == 0, done.stdout
    assert "output detections_1" in done.stdout


def test_comparisons_show_it(
    edgepack: Edgepack, detectors: Path, joined: Bundle, split: Bundle
) -> None:
    model, data = detectors / "detector.keras", ("--test", detectors / "image.npz", "--no-cache")
    done = edgepack("compare", model, joined.folder / "int8.tflite", *data)
    assert done.returncode == 1, done.stderr
    text = in_one_line(done.stdout)
    assert f"int8: worst channels of detections: {LOST}: SQNR " in text
    assert "CONCATENATION joins them: export or quantize with --split-outputs" in text
    done = edgepack("compare", model, split.folder / "int8.tflite", *data)
    assert done.returncode == 2
    float_tflite = split.folder / "float.tflite"
    assert f"its outputs were split: compare it with {float_tflite}" in done.stderr
    done = edgepack(
        "compare", float_tflite, split.folder / "int8.tflite", *data, "--output", "page", "--json"
    )
    assert done.returncode == 0, done.stderr
    (_, stage) = json.loads(done.stdout)["stages"]
    for run in stage["runs"].values():
        assert [output["channels"] for output in run["outputs"].values()] == [[], []]


def test_labels_of_the_whole_output_fit_the_split_model_too(
    edgepack: Edgepack, detectors: Path, joined: Bundle, split: Bundle, tmp_path: Path
) -> None:
    targets = ("--target", "nano-33-ble-sense", "--target", PHONE)
    labelled = ("--test", detectors / "labelled.npz", *targets)
    note = "'y' has the shape that the model's outputs join to, and is split like them along its"
    model = split.folder / "int8.tflite"
    done = edgepack("validate", model, *labelled, "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    outputs = split.report["comparison"]["outputs"]
    for name, output in report["comparison"]["outputs"].items():
        assert output["metric"] == "mse"
        for runtime, score in output["int8"].items():
            assert score["value"] == outputs[name]["int8"][runtime]["value"]
    assert any(note in each for each in report["notes"])
    float_tflite = split.folder / "float.tflite"
    done = edgepack("compare", float_tflite, model, *labelled, "--no-cache")
    assert done.returncode == 0, done.stderr
    assert note in in_one_line(done.stdout)
    done = edgepack("validate", model, "--float", joined.folder / "float.tflite", *labelled)
    assert done.returncode == 2
    assert f"its outputs were split: compare it with {float_tflite}" in done.stderr
    alone = tmp_path / "alone.tflite"
    alone.write_bytes(model.read_bytes())
    done = edgepack("validate", alone, "--float", joined.folder / "float.tflite")
    assert "compare it with the float.tflite that was written with it" in done.stderr
    done = edgepack("validate", alone, "--float", float_tflite, *labelled)
    assert done.returncode == 0, done.stderr


def test_debug_names_the_concatenation(edgepack: Edgepack, detectors: Path) -> None:
    arguments = (detectors / "detector.keras", "--representative", detectors / "image.npz")
    text = in_one_line(edgepack("debug", *arguments).stdout)
    assert f"one scale for unlike channels: output detections: {LOST}, 0." in text
    assert "To do: CONCATENATION joins them: export or quantize with --split-outputs" in text
    assert "little is left to gain" not in text
    assert "of an output its worst part. Add one that helps: " in text
    assert "--split-outputs: SQNR " in text.partition("Add one that helps: ")[2]
    text = in_one_line(edgepack("debug", *arguments, "--split-outputs").stdout)
    assert "one scale for unlike channels" not in text


def test_changes_are_judged_by_the_lost_part(edgepack: Edgepack, detectors: Path) -> None:
    model, data = detectors / "mixed.keras", detectors / "image.npz"
    done = edgepack("debug", model, "--representative", data, "--target", "android-arm64")
    assert done.returncode == 0, done.stderr
    tried = in_one_line(done.stdout).partition("its worst part. Add one that helps: ")[2]
    (helpful, others) = tried.split(" No other gains 1 dB: ")
    assert helpful.startswith("--scheme int16: SQNR ")
    before = float(helpful.split()[3])
    assert before < 5  # the scores, although the boxes have more than 50 dB
    assert "--split-outputs" not in tried
    assert "--observer mse" in others


def test_parts_are_in_firmware_and_apps(edgepack: Edgepack, split: Bundle, tmp_path: Path) -> None:
    model = split.folder / "int8.tflite"
    done = edgepack(
        *("firmware", model, "--target", "nano-33-ble-sense", "--output", tmp_path / "board")
    )
    assert done.returncode == 0, done.stderr
    done = edgepack("phone", model, "--output", tmp_path / "app")
    assert done.returncode == 0, done.stderr
    (kotlin,) = (tmp_path / "app").glob("*.kt")
    assert "outputDetections1" in kotlin.read_text()


NOTHING = (
    "dense.keras: --split-outputs: no output can be split: values: FULLY_CONNECTED writes it, not"
    " CONCATENATION; leave the option out"
)
MIXED = (
    "mixed.keras: --split-outputs: no output can be split: mixed: RESHAPE behind its CONCATENATION"
    " spreads the parts over it (move it before the CONCATENATION in the model); leave the option"
    " out"
)
OTHER_LABELS = (
    "classes.npz: the labels of the output 'values' have shape [] for each sample, and can only be"
    " split with it if they have its shape, [5]; leave out the labels, or --split-outputs"
)


@pytest.mark.parametrize(
    ("model", "data", "test", "message"),
    [
        ("dense", "features", "features", NOTHING),
        ("mixed", "image", "image", MIXED),
        ("flat", "features", "classes", OTHER_LABELS),
    ],
)
def test_what_cannot_be_split_is_refused(
    edgepack: Edgepack,
    detectors: Path,
    tmp_path: Path,
    model: str,
    data: str,
    test: str,
    message: str,
) -> None:
    done = edgepack(
        *("quantize", detectors / f"{model}.keras", "--split-outputs"),
        *("--representative", detectors / f"{data}.npz", "--test", detectors / f"{test}.npz"),
        *("--output", tmp_path / "out"),
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        ("apart", "image", ()),  # built with an output for each
        ("nested", "image", ("--split-outputs",)),
        ("permuted", "image", ("--split-outputs",)),
        ("unmixed", "image", ("--split-outputs",)),  # what is advised for "mixed"
        ("flat", "classes", ("--split-outputs",)),  # labels that are not measured
        ("dense", "features", ("--scheme", "int16", "--target", "android-arm64")),
    ],
)
def test_the_other_cures_help(
    edgepack: Edgepack,
    detectors: Path,
    tmp_path: Path,
    model: str,
    data: str,
    options: tuple[str, ...],
) -> None:
    done = edgepack(
        *("quantize", detectors / f"{model}.keras", *options, "--output", tmp_path / "out"),
        *("--representative", detectors / f"{data}.npz"),
    )
    assert done.returncode == 0, done.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for output in report["comparison"]["outputs"].values():
        assert "channels" not in output
        (scores,) = (value for key, value in output.items() if key in ("int8", "int16"))
        assert all(score["sqnr_db"] > 30 for score in scores.values())


def test_parts_are_those_of_the_whole_output(detectors: Path, split: Bundle) -> None:
    from ai_edge_litert.interpreter import Interpreter

    whole = np.load(detectors / "labelled.npz")
    interpreter = Interpreter(model_path=str(split.folder / "float.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], whole["image"][:1])
    interpreter.invoke()
    parts = [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]
    assert np.allclose(np.concatenate(parts, axis=-1), whole["y"][:1], rtol=1e-4, atol=1e-4)
