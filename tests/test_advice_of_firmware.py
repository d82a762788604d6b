"""Models that are refused as firmware are written as advised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from firmware_projects import NANO, error_of, firmware_config, relu_model, written_model
from tiny import Value, one_operator

from edgepack.config.firmware import ONLY_MODEL, NamedModel
from edgepack.core.errors import ModelError
from edgepack.pipeline.firmware_project.firmware import firmware

IMAGE = "[preprocessing]\nresize = [4, 4]\n"


@pytest.mark.parametrize(
    ("name", "advice", "followed"),
    [
        ("class", "choose another name with NAME=MODEL.tflite", "door"),
        ("\u65e5\u672c", "choose a name that has one", "japan"),
    ],
)
def test_models_are_named_as_advised(tmp_path: Path, name: str, advice: str, followed: str) -> None:
    path = relu_model(tmp_path)
    assert advice in error_of(tmp_path, NamedModel(path=path, name=name))
    assert firmware(firmware_config(tmp_path / "fw", NamedModel(path=path, name=followed))).passed


@pytest.mark.parametrize(
    ("bad", "advice", "good"),
    [
        ({"target": "android-arm64"}, "name a microcontroller", {"target": NANO}),
        ({"target": "ethos-u55"}, "such as corstone-300", {"target": "corstone-300"}),
        ({"labels": "a\n"}, "give a label for each value along the", {"labels": "a\nb\nc\nd\n"}),
        ({"labels": "\n"}, "contains no labels; write one per line", {"labels": "a\nb\nc\nd\n"}),
        ({"labels": "a\0\nb\nc\nd"}, "NUL byte", {"labels": "a\nb\nc\nd\n"}),
        (
            {"preprocessing": IMAGE},
            "remove resize, crop and colors",
            {"preprocessing": "[preprocessing]\nscale = 2"},
        ),
        (
            {"preprocessing": "[preprocessing]\nmean = [1, 2]"},
            "give one value, or one per channel",
            {"preprocessing": "[preprocessing]\nmean = [1]"},
        ),
        (
            {"preprocessing": "[preprocessing]\nmean = [1, 2]"},
            "give one value, or one per channel",
            {"preprocessing": "[preprocessing]\nmean = [1, 2, 3, 4]"},
        ),
        (
            {"preprocessing": "[preprocessing]\nsample_rate = 9\nclip_samples = 3"},
            "change clip_samples in the project file",
            {"preprocessing": "[preprocessing]\nsample_rate = 9\nclip_samples = 4"},
        ),
    ],
)
def test_firmware_is_written_as_advised(
    tmp_path: Path, bad: dict[str, str], advice: str, good: dict[str, str]
) -> None:
    model = NamedModel(path=relu_model(tmp_path))

    def options(settings: dict[str, str]) -> dict[str, object]:
        for name, text in settings.items():
            (tmp_path / f"{name}.toml").write_text(text)
        keys = {"labels": "labels", "preprocessing": "project_files"}
        return {
            keys.get(name, name): {ONLY_MODEL: tmp_path / f"{name}.toml"} if name in keys else text
            for name, text in settings.items()
        }

    assert advice in error_of(tmp_path, model, **options(bad))
    assert firmware(firmware_config(tmp_path / "fw", model, **options(good))).files


def test_firmware_has_as_many_test_vectors_as_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.pipeline.firmware_project.vectors._MAX_BYTES", 16)
    source = NamedModel(path=relu_model(tmp_path))  # 4 bytes in, 4 bytes out
    assert "give at most --vectors 2" in error_of(tmp_path, source, vectors=3)
    firmware(firmware_config(tmp_path / "fw", source, vectors=2))


def test_firmware_has_finite_test_vectors_as_advised(tmp_path: Path) -> None:
    floats = Value((1, 4))
    source = written_model(tmp_path, one_operator("EXP", [floats], [floats]))
    tests = {ONLY_MODEL: tmp_path / "test.npz"}
    np.savez(tmp_path / "test.npz", x=np.full((2, 4), 1000, np.float32))
    assert "give --test samples whose outputs are" in error_of(tmp_path, source, tests=tests)
    np.savez(tmp_path / "test.npz", x=np.ones((2, 4), np.float32))
    firmware(firmware_config(tmp_path / "fw", source, tests=tests))


def test_options_name_their_model_as_advised(tmp_path: Path) -> None:
    models = [NamedModel(path=relu_model(tmp_path, name)) for name in ("x", "y")]
    (tmp_path / "a.txt").write_text("a\nb\nc\nd\n")
    said = error_of(tmp_path, *models, labels={ONLY_MODEL: tmp_path / "a.txt"})
    assert f"write --labels x={tmp_path / 'a.txt'}" in said
    firmware(firmware_config(tmp_path / "fw", *models, labels={"x": tmp_path / "a.txt"}))


def test_models_that_are_quantized_again_have_firmware(tmp_path: Path) -> None:
    bad, good = Value((1, 4), "int8", 1e37), Value((1, 4), "int8", 0.5)
    source = written_model(tmp_path, one_operator("RELU", [bad], [bad], version=2))
    with pytest.raises(ModelError, match="convert the model again"):
        firmware(firmware_config(tmp_path / "fw", source))
    source = written_model(tmp_path, one_operator("RELU", [good], [good], version=2))
    firmware(firmware_config(tmp_path / "fw", source))
