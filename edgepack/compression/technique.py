"""Interface of a compression technique. Imports nothing heavy: the command line needs settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from edgepack.config.compression_step import CompressionStep
from edgepack.core.packages import Package
from edgepack.core.progress import Update

if TYPE_CHECKING:
    from edgepack.compression.training.task import Training
    from edgepack.load.loaded_model import FloatModel
    from edgepack.storage.arrays import Arrays


class ModelForm(Enum):
    """A form of model that a technique accepts as input."""

    GRAPH = "a Keras model that is a graph of layers"
    KERAS = "a Keras model"
    TFLITE = "a float .tflite file"


class StepRecord(Protocol):
    """Result of a step: a dataclass that can be written as JSON.

    ``runtime`` is what runs the resulting model. ``left_out`` maps each layer that was not
    compressed, though the settings did not exclude it, to the reason.
    """

    @property
    def runtime(self) -> str:
        """What runs the resulting model."""

    @property
    def left_out(self) -> dict[str, str]:
        """Reason by layer for layers that were not compressed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CompressionTask:
    """Input of a technique.

    ``model`` must not be changed; ``copy`` returns another with the same outputs, which may be.
    ``samples`` are those of the representative dataset: arrays by input, of shape (samples, ...).
    ``training`` is None for a step without fine-tuning. ``update`` receives the progress.
    """

    model: FloatModel
    copy: Callable[[], FloatModel]
    samples: Arrays
    training: Training | None
    update: Update


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed:
    """Output of a step: the model, a function that returns another like it, and the record."""

    model: FloatModel
    copy: Callable[[], FloatModel]
    record: StepRecord


class Technique(Protocol):
    """A compression technique.

    ``name`` identifies it in a list of steps; ``stage`` is the name of the model after it, such as
    "pruned". ``settings`` is a dataclass that rejects invalid values, and ``record`` the dataclass
    of a step's result; both are exchanged with TensorFlow's process as JSON. ``forms`` are the
    forms of models that it accepts; a technique that accepts .tflite files accepts every model.
    ``packages`` are those that it needs beside TensorFlow.
    """

    name: str
    stage: str
    settings: type[CompressionStep]
    record: type[Any]
    forms: frozenset[ModelForm]
    packages: tuple[Package, ...] = ()

    def apply(self, task: CompressionTask, settings: Any) -> Compressed:
        """Compress a model. Runs in TensorFlow's process, and imports what it needs itself.

        Raises :class:`~edgepack.core.errors.ModelError` for a model that it cannot compress.
        """

    def describe(self, record: Any) -> Iterable[str]:
        """Describe a step's result for people: one line of summary, then any further lines."""
