"""Compression techniques for tests only.

Importing this module registers them; :class:`ModelSession` is the service in whose process they are
registered, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgepack.compression import TECHNIQUES
from edgepack.compression.technique import Compressed, CompressionTask, ModelForm, Technique
from edgepack.config.compression_step import CompressionStep, FineTune
from edgepack.core.errors import ConfigError, ModelError
from edgepack.load.tflite_file import TfliteFile
from edgepack.pipeline.steps.model_service import ModelSession
from edgepack.tflite.parser import buffer, read_tflite
from edgepack.tflite.sparsity import weight_tensors

__all__ = ["GROWING", "SCALING", "Grow", "ModelSession", "Scale", "Scaled"]


@dataclass(frozen=True, kw_only=True)
class Scale(CompressionStep):
    """Multiply all weights by a factor, except those of layers to keep."""

    technique: ClassVar[str] = "scale"

    factor: float
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.factor > 0:
            raise ConfigError(f"factor {self.factor}: must be greater than 0")


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """Record of a step."""

    runtime: str
    left_out: dict[str, str]
    factor: float


class Scaling(Technique):
    """A technique that works on a .tflite file."""

    name = Scale.technique
    stage = "scaled"
    settings = Scale
    record = Scaled
    forms = frozenset({ModelForm.TFLITE})

    def apply(self, task: CompressionTask, settings: Scale) -> Compressed:
        """Multiply the weights of a file."""
        assert isinstance(task.model, TfliteFile)
        if settings.factor > 100:
            raise ModelError(f"{task.model.path}: no weight may be scaled by {settings.factor:g}")
        data = bytearray(task.model.data)
        for name, weight in weight_tensors(read_tflite(task.model.data)).items():
            if name not in settings.keep:
                values = buffer(data, weight.tensor.buffer).view(np.float32)
                values *= np.float32(settings.factor)
        scaled = TfliteFile(task.model.path, bytes(data), task.model.signature)
        left_out = {"bias": "it is not a weight"}
        record = Scaled(runtime=scaled.runtime, left_out=left_out, factor=settings.factor)
        return Compressed(model=scaled, copy=lambda: scaled, record=record)

    def describe(self, record: Scaled) -> Iterator[str]:
        """Describe the factor."""
        yield f"by {record.factor:g}"
        yield "and nothing else"


@dataclass(frozen=True, kw_only=True)
class Grow(CompressionStep):
    """Settings of a technique that needs training data."""

    technique: ClassVar[str] = "grow"

    fine_tune: FineTune


class Growing(Technique):
    """A technique that needs a graph of layers."""

    name = Grow.technique
    stage = "grown"
    settings = Grow
    record = Scaled
    forms = frozenset({ModelForm.GRAPH})

    def apply(self, task: CompressionTask, settings: Grow) -> Compressed:  # noqa: ARG002 (none matters)
        """Leave the model as it is, and record the number of training samples."""
        assert task.training is not None
        record = Scaled(runtime="Keras", left_out={}, factor=float(len(task.training)))
        return Compressed(model=task.copy(), copy=task.copy, record=record)

    def describe(self, record: Scaled) -> Iterator[str]:
        """Describe the number of samples."""
        yield f"on {record.factor:g} samples, for {Grow.technique}"


SCALING, GROWING = Scaling(), Growing()
TECHNIQUES.update({each.name: each for each in (SCALING, GROWING)})
