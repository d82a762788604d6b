"""A folder for the data of tests, and signatures of models that read them."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from edgepack.calibration.datasets.read import StoredDataset, read_dataset
from edgepack.calibration.datasets.sources.source import Context
from edgepack.config.project_file import read_project_file
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.storage.dataset import Dataset


def spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype=dtype)


def model(*inputs: TensorSpec, outputs: tuple[str, ...] = ("scores",)) -> Signature:
    return Signature(inputs=inputs, outputs=tuple(spec(name, 3) for name in outputs))


PAIR = model(spec("x", 2))
TWO = model(spec("left", 2), spec("right", 1))


class DataFolder:
    """Writes the data of a test into a folder and reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def store(
        self, data: Any, signature: Signature, settings: str = "", samples: int | None = None
    ) -> StoredDataset:
        (self.path / "edgepack.toml").write_text(settings)
        file = read_project_file(self.path / "edgepack.toml")
        (self.path / "spool").mkdir(exist_ok=True)
        context = Context(signature=signature, project_file=file, samples=samples)
        return read_dataset(data, context, self.path / "spool" / "data")

    def read(self, data: Any, signature: Signature, *rest: Any) -> Dataset:
        return self.store(data, signature, *rest).dataset()

    def assert_refused(self, message: str, data: Any, signature: Signature, *rest: Any) -> None:
        with pytest.raises(DatasetError, match=message) as error:
            self.read(data, signature, *rest)
        assert "\n" not in str(error.value)

    def image(self, name: str, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.new(mode, size, 40 if mode == "L" else (10, 20, 30)).save(path)
        return path

    def sound(self, name: str, rate: int = 8000, samples: int = 4, channels: int = 1) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, 2, rate, samples, "NONE", ""))
            values = np.tile([16384, 0][:channels], samples)
            file.writeframes(values.astype("<i2").tobytes())
        return path

    def text(self, name: str, text: str) -> Path:
        (self.path / name).write_text(text)
        return self.path / name


IMAGE = model(spec("image", 3, 4, 3))


WAVE = model(spec("wave", 6))
RATE = "[preprocessing]\nsample_rate = 8000\n"
MFCC = "features = 'mfcc'\nframe_length = 4\nframe_step = 2\n"
"""A model of short recordings, and the project file's preprocessing of sound."""
