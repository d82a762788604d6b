"""``edgepack quantize``, run as users run it, and what it refuses before the work starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import (
    BIT_EXACT,
    HAS_TFLITE_RUNTIME,
    INTERPRETERS,
    PHONE_NOT_CHECKED,
    Edgepack,
    lsb,
    only,
)
from test_bad_input import assert_refused


def test_a_scheme_with_other_layers_and_output_types(
    models: Path, edgepack: Edgepack, tmp_path: Path
) -> None:
    data, output = models / "cnn.npz", tmp_path / "out"
    done = edgepack(
        *("quantize", models / "cnn.h5", "--representative", data, "--test", data),
        *("--scheme", "int16", "--layer", "dense=float", "--output-type", "float32"),
        *("--output", output),
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in output.iterdir()} == {
        *("float.tflite", "calibration.json", "int16.tflite", "report.json", "manifest.json"),
        *("report.html", "report.md"),
    }
    report = json.loads((output / "report.json").read_text())
    (in_float,) = report["quantization"].pop("in_float")
    assert "dense" in in_float
    assert report["quantization"] == {
        "scheme": "int16",
        "layers": [["dense", "float"]],
        "input_type": "int16",
        "output_type": "float32",
        "dense": None,
    }
    assert set(only(report)["int16"]) == INTERPRETERS
    assert lsb(report, "tflm") == BIT_EXACT
    assert set(report["targets"]) == {"android-arm64"}  # the other one demands integers
    assert "in float  " in done.stdout
    verdict = "RUNS on 1 target" if HAS_TFLITE_RUNTIME else PHONE_NOT_CHECKED
    assert done.stdout.splitlines()[-1].startswith(f"{verdict}; accuracy")
    config = json.loads((output / "manifest.json").read_text())["recipe"]
    assert config["quantization"]["scheme"] == "int16"


def test_a_scheme_that_computes_in_float_needs_no_representative_dataset(
    models: Path, edgepack: Edgepack, tmp_path: Path
) -> None:
    done = edgepack(
        *("quantize", models / "cnn.h5", "--test", models / "cnn.npz", "--scheme", "float16"),
        *("--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report["targets"]) == {"android-arm64"}
    for score in only(report)["float16"].values():
        assert score["sqnr_db"] > 60
    # The sparsity of weights behind a DEQUANTIZE is measured, too.
    assert len(report["sparsity"]["float16"]["layers"]) == 3


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("tflm does not support float16: its DEQUANTIZE", "--scheme float16 --target rp2040"),
        ("computes them wrongly", "--scheme int16 --dense per-channel --target android-arm64"),
        ("does not support int16 mixed with int8", "--layer first=int16 --target android-arm64"),
        ("scheme 'int44': did you mean 'int4'? choose", "--scheme int44"),
        ("--layer a=int3: unknown scheme 'int3': did you mean 'int8'? choose", "--layer a=int3"),
        ("layers 'a' in int8: the scheme float16 computes in", "--scheme float16 --layer a=int8"),
        ("input type int8: the scheme float16 computes in", "--scheme float16 --input-type int8"),
        ("output type int16: needs the scheme int16, not int8", "--output-type int16"),
        ("dense 'row': choose one of per-channel, per-tensor", "--dense row"),
        (
            "dense per-tensor: the scheme float16 has no scales",
            "--scheme float16 --dense per-tensor",
        ),
    ],
)
def test_wrong_use_is_refused_before_the_work_starts(
    models: Path, edgepack: Edgepack, message: str, arguments: str
) -> None:
    done = edgepack(
        *("quantize", models / "cnn.h5", "--representative", models / "cnn.npz"),
        *("--output", "out", *arguments.split()),
    )
    assert_refused(done, message)
    assert "load" not in done.stderr


def test_missing_data_for_a_scheme_is_refused(models: Path, edgepack: Edgepack) -> None:
    model = models / "cnn.h5"
    done = edgepack("quantize", model, "--test", models / "cnn.npz", "--output", "out")
    assert_refused(done, "scheme int8 needs activation ranges: give --representative")
    done = edgepack("quantize", model, "--scheme", "float16", "--output", "out")
    assert_refused(done, "needs samples to compare with float: give --test or --representative")


def test_an_unknown_layer_is_refused(models: Path, edgepack: Edgepack) -> None:
    done = edgepack(
        *("quantize", models / "cnn.h5", "--representative", models / "cnn.npz"),
        *("--output", "out", "--layer", "cnv2d=float"),
    )
    assert_refused(done, "no layer is named 'cnv2d'; similar names are conv2d")


def test_a_scheme_that_quantizes_nothing_is_refused(models: Path, edgepack: Edgepack) -> None:
    done = edgepack(
        *("quantize", models / "cnn.h5", "--representative", models / "cnn.npz"),
        *("--output", "out", "--scheme", "dynamic-range"),
    )
    assert_refused(done, "applies to no layer with 1,024 weights or more", status=1)
