"""Settings of compression steps, and of the training during them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from edgepack.config.checked_settings import Settings
from edgepack.config.known_words import require_one_of
from edgepack.core.codec import as_json
from edgepack.core.errors import ConfigError

SCHEDULES = ("polynomial", "constant")
DISTILLATION = "distillation"
"""The loss for outputs that differ from the model's own before the compression step."""

MULTI_WORKER = "multi-worker"
STRATEGIES = ("mirrored", MULTI_WORKER)


@dataclass(frozen=True, kw_only=True)
class Schedule(Settings):
    """When pruning removes weights, counted in training steps (batches) of the fine-tuning.

    The ``kind`` is ``polynomial`` or ``constant``. ``polynomial``: sparsity rises from 0 at
    ``begin_step`` to its final value at ``end_step``, more slowly towards the end; ``constant``:
    the final sparsity from ``begin_step``. Masks are recomputed every ``frequency`` steps until
    ``end_step``. None leaves the choice to edgepack: the first two thirds of the steps, with fifty
    updates of the masks. Raises :class:`ConfigError` for numbers out of range.
    """

    kind: str = "polynomial"
    begin_step: int = 0
    end_step: int | None = None
    frequency: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of("schedule", self.kind, SCHEDULES)
        if self.begin_step < 0:
            raise ConfigError(f"begin step {self.begin_step}: steps count from 0")
        if self.end_step is not None and self.end_step <= self.begin_step:
            raise ConfigError(
                f"end step {self.end_step}: must be after the begin step {self.begin_step}"
            )
        if self.frequency is not None and self.frequency < 1:
            raise ConfigError(f"frequency {self.frequency}: must be at least 1 step")


@dataclass(frozen=True, kw_only=True)
class FineTune(Settings):
    """Settings for training during a compression step.

    ``epochs`` is the number of passes over the training data, ``schedule`` when pruning prunes.
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
        super().__post_init__()
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
        if self.strategy is not None:
            require_one_of("strategy", self.strategy, STRATEGIES)


@dataclass(frozen=True, kw_only=True)
class CompressionStep(Settings):
    """The settings of one compression step; each technique has a subclass.

    ``technique`` is a key of :data:`edgepack.compression.TECHNIQUES`. Techniques that can train
    the model during the step, on the export's training data, have a field ``fine_tune``.
    """

    technique: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not hasattr(self, "technique"):
            raise ConfigError(f"{type(self).__name__} is no technique: give edgepack.Prune(...)")

    @property
    def training(self) -> FineTune | None:
        """The settings for training during the step; None if it does not train."""
        return getattr(self, "fine_tune", None)


def step_as_json(step: CompressionStep) -> dict[str, Any]:
    """Return a step as JSON values, its technique first, as listed in a manifest."""
    return {"technique": step.technique, **as_json(step)}
