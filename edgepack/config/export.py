"""What to do, in full: everything that decides the bytes of an export."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgepack.config.quantization import Quantization
from edgepack.core.codec import as_json
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument

DEFAULT_TARGETS = ("android-arm64", "nano-33-ble-sense")
SCHEDULES = ("polynomial", "constant")
DISTILLATION = "distillation"
"""The loss of giving other outputs than the model gave before the step."""

MULTI_WORKER = "multi-worker"
STRATEGIES = ("mirrored", MULTI_WORKER)
DEFAULT_OBSERVER = "min-max"
DEFAULT_SEED = 0

_FUNCTION = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model and what is needed to load it.

    ``weights`` belong to the JSON text of ``model.to_json()``. ``custom_objects`` names the
    user's own classes and functions as ``module:NAME``; they are imported. ``allow_unsafe`` lets
    the file run code of its own.
    """

    path: Path
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False

    @property
    def runs_code(self) -> bool:
        """Whether loading may run code that is not Keras's: the user's own, or the file's."""
        return bool(self.custom_objects) or self.allow_unsafe

    @property
    def inputs(self) -> dict[str, Path]:
        """The files that are read, by their roles."""
        return only_given(model=self.path, weights=self.weights)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When weights go, in steps of fine-tuning, a batch each.

    ``polynomial``: from none at ``begin_step`` to all at ``end_step``, fewer and fewer at a time;
    ``constant``: all at ``begin_step``. Masks are chosen anew every ``frequency`` steps until
    ``end_step``. None leaves the choice to edgepack: the first two thirds of the steps, fifty
    choices. Raises :class:`ConfigError` for numbers that do not fit.
    """

    kind: str = "polynomial"
    begin_step: int = 0
    end_step: int | None = None
    frequency: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise ConfigError(f"schedule {self.kind!r}: the schedules are {', '.join(SCHEDULES)}")
        if self.begin_step < 0:
            raise ConfigError(f"begin step {self.begin_step}: steps count from 0")
        if self.end_step is not None and self.end_step <= self.begin_step:
            raise ConfigError(
                f"end step {self.end_step}: must lie behind the begin step {self.begin_step}"
            )
        if self.frequency is not None and self.frequency < 1:
            raise ConfigError(f"frequency {self.frequency}: masks are chosen every 1 step or more")


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """Training while compressing.

    ``loss`` and ``optimizer`` are Keras's names; with None they are those that the model
    was compiled with, else what suits the metric, and Adam. The loss ``distillation`` needs no
    labels: the model learns to give what it gave before the step. ``learning_rate`` is where
    a cosine decay to 0 begins. ``patience`` stops once the loss on held-out samples,
    ``validation_split`` of all, has not fallen for so many epochs at the final sparsity, and keeps
    the best weights. ``strategy`` is one of TensorFlow's: ``mirrored`` for all devices of this
    host, ``multi-worker`` for several hosts (TF_CONFIG). Raises :class:`ConfigError` for what does
    not fit.
    """

    epochs: int = 10
    loss: str | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    validation_split: float = 0.1
    patience: int | None = None
    schedule: Schedule = field(default_factory=Schedule)
    strategy: str | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs {self.epochs}: fine-tuning needs at least 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ConfigError(f"learning rate {self.learning_rate}: must be above 0, such as 0.001")
        if self.patience is not None and self.patience < 1:
            raise ConfigError(f"patience {self.patience}: wait at least 1 epoch")
        if not 0 < self.validation_split < 1:
            raise ConfigError(
                f"validation split {self.validation_split}: must lie between 0 and 1, such as 0.1"
            )
        if self.strategy not in (None, *STRATEGIES):
            raise ConfigError(
                f"strategy {self.strategy!r}: the strategies are {', '.join(STRATEGIES)}"
            )


@dataclass(frozen=True, kw_only=True)
class CompressionStep:
    """The settings of one step of compression; each technique has a class of its own.

    ``technique`` is a name of :data:`edgepack.compression.TECHNIQUES`. A technique that can train
    the model meanwhile, on the recipe's training data, has a field ``fine_tune``.
    """

    technique: ClassVar[str]

    @property
    def training(self) -> FineTune | None:
        """The training meanwhile, if there is any."""
        return getattr(self, "fine_tune", None)


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One export.

    ``weights``, ``custom_objects`` and ``allow_unsafe`` are as in :class:`ModelSource`.
    ``representative`` and ``test`` are files or folders of a kind in
    :mod:`edgepack.calibration.datasets.sources`, names of functions as ``module:function``, or
    objects that give samples: arrays, an iterable, a Keras Sequence, a tf.data.Dataset.
    ``project_file`` is a file that describes their preprocessing
    (:mod:`edgepack.config.project_file`). Of the representative dataset ``samples`` are taken, all
    with None; ``seed`` decides which. ``observer`` names what chooses the ranges of activations, of
    :data:`edgepack.calibration.activations.observers.OBSERVERS`; with ``ranges``, a
    calibration.json, nothing is observed. ``metric`` is a name of
    :func:`edgepack.metrics.find_metric`; None chooses by the labels. ``output`` is the folder to
    write; an existing one is replaced only with ``force``. ``strict`` turns what the linter finds
    in the data into an error.

    ``compress`` holds the steps of compression in their order, each for the model that the one
    before it made. ``train`` is data as the representative dataset is, with the labels where the
    metric needs them, for the steps that fine-tune. ``checkpoints`` is a folder in which every
    epoch is saved, so that a run that was cut off can ``resume``.

    Raises :class:`ConfigError` for what does not fit.
    """

    model: Path
    output: Path
    representative: Any = None
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False
    test: Any = None
    train: Any = None
    project_file: Path | None = None
    samples: int | None = None
    seed: int = DEFAULT_SEED
    observer: str = DEFAULT_OBSERVER
    ranges: Path | None = None
    compress: tuple[CompressionStep, ...] = ()
    checkpoints: Path | None = None
    resume: bool = False
    quantization: Quantization = field(default_factory=Quantization)
    targets: tuple[str, ...] = DEFAULT_TARGETS
    metric: str | None = None
    force: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"samples {self.samples}: calibration needs at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed}: must not be negative")
        self._check_training()

    def _check_training(self) -> None:
        if self.train is None and self.fine_tunings:
            raise ConfigError("fine-tuning needs data to train on: give --train")
        if self.train is not None and not self.fine_tunings:
            raise ConfigError("there is nothing to train: no step of compression fine-tunes")
        if self.checkpoints is not None and not self.fine_tunings:
            raise ConfigError("there are no checkpoints to keep: no step of compression fine-tunes")
        if self.resume and self.checkpoints is None:
            raise ConfigError("resume: say where the checkpoints of the run that was cut off are")
        if len({each.strategy for each in self.fine_tunings} - {None}) > 1:
            raise ConfigError(
                f"steps ask for several strategies ({', '.join(STRATEGIES)}), and one process has"
                " one: choose one"
            )

    @property
    def source(self) -> ModelSource:
        """The model and what is needed to load it."""
        return ModelSource(
            path=self.model,
            weights=self.weights,
            custom_objects=self.custom_objects,
            allow_unsafe=self.allow_unsafe,
        )

    @property
    def inputs(self) -> dict[str, Any]:
        """The files and the data that are read, by their roles; targets and checkpoints besides."""
        return self.source.inputs | only_given(
            representative=self.representative,
            test=self.test,
            ranges=self.ranges,
            train=self.train,
            recipe_file=self.project_file,
        )

    @property
    def fine_tunings(self) -> tuple[FineTune, ...]:
        """The trainings of the steps that have one, in order."""
        return tuple(step.training for step in self.compress if step.training)

    @property
    def strategy(self) -> str | None:
        """The strategy of tf.distribute to train with, if any."""
        return next((each.strategy for each in self.fine_tunings if each.strategy), None)


def only_given(**inputs: Any) -> dict[str, Any]:
    """Leave out the inputs that were not given.

    >>> only_given(model="m.h5", weights=None)
    {'model': 'm.h5'}
    """
    return {role: data for role, data in inputs.items() if data is not None}


def is_function_name(text: str) -> bool:
    """Whether a text is ``module:function``, and no file or folder has that name.

    >>> is_function_name("my_data:samples"), is_function_name("data/x.npz")
    (True, False)
    """
    return bool(_FUNCTION.fullmatch(text)) and not os.path.exists(text)  # noqa: PTH110 (of any length)


def as_entry(step: CompressionStep) -> dict[str, Any]:
    """Turn a step into JSON values, its technique first: an entry of a list of steps."""
    return {"technique": step.technique, **as_json(step)}
