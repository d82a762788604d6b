"""What a technique of compression is. Imports nothing heavy: the command line asks for settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from edgepack.config.export import CompressionStep
from edgepack.core.progress import Update

if TYPE_CHECKING:
    from edgepack.compression.training.task import Training
    from edgepack.load.loaded_model import FloatModel
    from edgepack.storage.arrays import Arrays


class Form(Enum):
    """A form of model that a technique takes."""

    GRAPH = "a Keras model that is a graph of layers"
    KERAS = "a Keras model"
    TFLITE = "a float .tflite file"


class Record(Protocol):
    """How a step went: a dataclass of what JSON can hold.

    ``runtime`` runs the model that came of it. ``left_out`` has the layers that stayed as they were
    though nobody said so, with the reason.
    """

    @property
    def runtime(self) -> str:
        """What runs the model that came of it."""

    @property
    def left_out(self) -> dict[str, str]:
        """Layers that stayed as they were, with the reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What a technique works on.

    ``model`` stays as it is; ``copy`` makes another that gives the same, to be changed.
    ``samples`` are those of the representative dataset, by input, shape (samples, ...).
    ``training`` is None where the step does not fine-tune.
    """

    model: FloatModel
    copy: Callable[[], FloatModel]
    samples: Arrays
    training: Training | None
    update: Update


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed:
    """What came of a step: a model, what makes another like it, and how it went."""

    model: FloatModel
    copy: Callable[[], FloatModel]
    record: Record


class Technique(Protocol):
    """A technique of compression.

    ``name`` is what a list of steps calls it, ``stage`` what a model is called after it, such as
    "pruned". ``settings`` is a dataclass that refuses what does not fit, and ``record`` the one of
    how a step went; both cross to TensorFlow's process as JSON. ``forms`` are those of models that
    it takes: where it takes .tflite files, every model can be
    given to it.
    """

    name: str
    stage: str
    settings: type[CompressionStep]
    record: type[Any]
    forms: frozenset[Form]

    def apply(self, task: Task, settings: Any) -> Compressed:
        """Compress a model. Runs in TensorFlow's process, and imports what it needs itself.

        Raises :class:`~edgepack.core.errors.ModelError` for a model that it cannot compress.
        """

    def tell(self, record: Any) -> Iterable[str]:
        """Say how a step went, for people: in a line, and what else there is to say in others."""
