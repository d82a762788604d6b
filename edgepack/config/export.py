"""Settings of ``edgepack export``: everything that determines the bytes of an export."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgepack.config.budgets import Budgets
from edgepack.config.quantization import Quantization
from edgepack.core.codec import as_json
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument
from edgepack.core.wording import did_you_mean

DEFAULT_TARGETS = ("android-arm64", "nano-33-ble-sense")
SCHEDULES = ("polynomial", "constant")
DISTILLATION = "distillation"
"""The loss for outputs that differ from the model's own before the compression step."""

MULTI_WORKER = "multi-worker"
STRATEGIES = ("mirrored", MULTI_WORKER)
DEFAULT_OBSERVER = "min-max"
DEFAULT_SEED = 0

_FUNCTION_NAME = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model, and everything needed to load it.

    ``weights`` is the weights file for a model given as the JSON text of ``model.to_json()``.
    ``custom_objects`` names the user's own classes and functions as ``module:NAME``; they are
    imported. ``allow_unsafe`` allows the model file to run its own code.
    """

    path: Path
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False

    @property
    def runs_code(self) -> bool:
        """Whether loading may run code other than Keras's: the user's, or the model file's."""
        return bool(self.custom_objects) or self.allow_unsafe

    @property
    def inputs(self) -> dict[str, Path]:
        """The input files by role."""
        return without_none(model=self.path, weights=self.weights)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When pruning removes weights, counted in training steps (batches) of the fine-tuning.

    ``polynomial``: sparsity rises from 0 at ``begin_step`` to its final value at ``end_step``,
    more slowly towards the end; ``constant``: the final sparsity from ``begin_step``. Masks are
    recomputed every ``frequency`` steps until ``end_step``. None leaves the choice to edgepack:
    the first two thirds of the steps, with fifty updates of the masks. Raises
    :class:`ConfigError` for numbers out of range.
    """

    kind: str = "polynomial"
    begin_step: int = 0
    end_step: int | None = None
    frequency: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise ConfigError(
                f"schedule {self.kind!r}: {did_you_mean(self.kind, SCHEDULES)}the schedules are"
                f" {', '.join(SCHEDULES)}"
            )
        if self.begin_step < 0:
            raise ConfigError(f"begin step {self.begin_step}: steps count from 0")
        if self.end_step is not None and self.end_step <= self.begin_step:
            raise ConfigError(
                f"end step {self.end_step}: must be after the begin step {self.begin_step}"
            )
        if self.frequency is not None and self.frequency < 1:
            raise ConfigError(f"frequency {self.frequency}: must be at least 1 step")


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """Settings for training during a compression step.

    ``loss`` and ``optimizer`` are Keras names; None uses those that the model was compiled with,
    or else a loss that suits the metric, and Adam. The loss ``distillation`` needs no labels: the
    model learns to reproduce its own outputs from before the step. ``learning_rate`` is the initial
    rate of a cosine decay to 0. ``patience`` is in epochs: training stops, and the best weights are
    kept, once the validation loss has not fallen for that many epochs at the final sparsity;
    ``validation_split`` is the fraction of the samples that is held out for it. ``strategy`` is a
    TensorFlow distribution strategy: ``mirrored`` for all devices of this host, ``multi-worker``
    for several hosts (TF_CONFIG). Raises :class:`ConfigError` for values out of range.
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
        if self.strategy is not None and self.strategy not in STRATEGIES:
            raise ConfigError(
                f"strategy {self.strategy!r}: {did_you_mean(self.strategy, STRATEGIES)}the"
                f" strategies are {', '.join(STRATEGIES)}"
            )


@dataclass(frozen=True, kw_only=True)
class CompressionStep:
    """The settings of one compression step; each technique has a subclass.

    ``technique`` is a key of :data:`edgepack.compression.TECHNIQUES`. Techniques that can train
    the model during the step, on the recipe's training data, have a field ``fine_tune``.
    """

    technique: ClassVar[str]

    @property
    def training(self) -> FineTune | None:
        """The settings for training during the step; None if it does not train."""
        return getattr(self, "fine_tune", None)


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings for one export.

    ``weights``, ``custom_objects`` and ``allow_unsafe`` are as in :class:`ModelSource`.
    ``representative`` and ``test`` are files or folders in a format of
    :mod:`edgepack.calibration.datasets.sources`, names of functions as ``module:function``, or
    objects that provide samples: arrays, an iterable, a Keras Sequence, a tf.data.Dataset.
    ``project_file`` describes their preprocessing (:mod:`edgepack.config.project_file`).
    ``samples`` is the number of samples used of the representative dataset, all with None; ``seed``
    determines which. ``observer`` is a key of
    :data:`edgepack.calibration.activations.observers.OBSERVERS` and chooses the activation ranges;
    with ``ranges``, a calibration.json, nothing is observed. ``metric`` is a name known to
    :func:`edgepack.metrics.find_metric`; None chooses one from the labels. ``output`` is the folder
    to write; an existing one is replaced only with ``force``. ``budgets`` apply in addition to
    those of the project file and of the targets. ``strict`` makes the linter's findings errors.

    ``repeats`` describes the inputs of the export that is repeated, by role, as its manifest does;
    a note says which of them are others.

    ``split_outputs`` makes each part of an output that a concatenation joins an output of its own,
    with a scale of its own.

    ``compress`` lists the compression steps in order; each applies to the result of the one before.
    ``train`` is the training data for the steps that fine-tune, of the same kinds as
    ``representative``, with labels where the metric needs them. ``checkpoints`` is a folder in
    which every epoch is saved, so that ``resume`` can continue an interrupted run.

    Raises :class:`ConfigError` for inconsistent settings.
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
    split_outputs: bool = False
    targets: tuple[str, ...] = DEFAULT_TARGETS
    metric: str | None = None
    budgets: Budgets = field(default_factory=Budgets)
    force: bool = False
    strict: bool = False
    repeats: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"samples {self.samples}: calibration needs at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed}: must not be negative")
        self._check_training()

    def _check_training(self) -> None:
        if self.train is None and self.fine_tunings:
            raise ConfigError("fine-tuning needs training data: give --train")
        if self.train is not None and not self.fine_tunings:
            raise ConfigError("there is nothing to train: no compression step fine-tunes")
        if self.checkpoints is not None and not self.fine_tunings:
            raise ConfigError("there are no checkpoints to keep: no compression step fine-tunes")
        if self.resume and self.checkpoints is None:
            raise ConfigError("resume: give the --checkpoints folder of the interrupted run")
        if len({each.strategy for each in self.fine_tunings} - {None}) > 1:
            raise ConfigError(
                f"steps use several strategies ({', '.join(STRATEGIES)}), but a process can have"
                " only one: choose one"
            )

    @property
    def source(self) -> ModelSource:
        """The model, and everything needed to load it."""
        return ModelSource(
            path=self.model,
            weights=self.weights,
            custom_objects=self.custom_objects,
            allow_unsafe=self.allow_unsafe,
        )

    @property
    def inputs(self) -> dict[str, Any]:
        """The input files and data by role, without the targets and the checkpoints."""
        return self.source.inputs | without_none(
            representative=self.representative,
            test=self.test,
            ranges=self.ranges,
            train=self.train,
            recipe_file=self.project_file,
        )

    @property
    def fine_tunings(self) -> tuple[FineTune, ...]:
        """The settings of the steps that train, in order."""
        return tuple(step.training for step in self.compress if step.training)

    @property
    def strategy(self) -> str | None:
        """The tf.distribute strategy for training; None for none."""
        return next((each.strategy for each in self.fine_tunings if each.strategy), None)


def without_none(**inputs: Any) -> dict[str, Any]:
    """Return the inputs that are not None, by role.

    >>> without_none(model="m.h5", weights=None)
    {'model': 'm.h5'}
    """
    return {role: data for role, data in inputs.items() if data is not None}


def is_function_name(text: str) -> bool:
    """Whether a text is ``module:function``, and no file or folder has that name.

    >>> is_function_name("my_data:samples"), is_function_name("data/x.npz")
    (True, False)
    """
    return bool(_FUNCTION_NAME.fullmatch(text)) and not os.path.exists(text)  # noqa: PTH110 (of any length)


def step_as_json(step: CompressionStep) -> dict[str, Any]:
    """Return a step as JSON values, its technique first, as listed in a recipe."""
    return {"technique": step.technique, **as_json(step)}
