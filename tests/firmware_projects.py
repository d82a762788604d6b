"""Small models and settings for tests of ``edgepack firmware``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Value, one_operator

from edgepack.config.firmware import FirmwareConfig, NamedModel
from edgepack.core.errors import EdgepackError
from edgepack.pipeline.firmware_project.firmware import firmware

NANO = "nano-33-ble-sense"
VECTOR = Value((1, 4), "int8", 0.5, zero_point=-3)


def relu_model(folder: Path, name: str = "relu") -> Path:
    """Write a model of one operator, with one value per class for four classes."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(one_operator("RELU", [VECTOR], [VECTOR], version=2))
    return path


def written_model(folder: Path, data: bytes) -> NamedModel:
    """Write the bytes of a model into a folder as relu.tflite."""
    path = folder / "relu.tflite"
    path.write_bytes(data)
    return NamedModel(path=path)


def firmware_config(folder: Path, *models: NamedModel, **options: object) -> FirmwareConfig:
    """Return a configuration that writes a CMake project into ``folder``, unless options differ."""
    settings = {"target": NANO, "output": folder, "layout": "cmake"} | options
    return FirmwareConfig(models=models, **settings)  # type: ignore[arg-type]


def error_of(tmp_path: Path, *models: NamedModel, **options: object) -> str:
    """Return the error message of a project that is refused; nothing may be written."""
    with pytest.raises(EdgepackError) as caught:
        firmware(firmware_config(tmp_path / "fw", *models, **options))
    assert not (tmp_path / "fw").exists()
    return str(caught.value)
