"""Settings of ``edgepack export``: everything that determines the bytes of an export."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets
from edgepack.config.compression_step import STRATEGIES, CompressionStep, FineTune
from edgepack.config.inputs import without_none
from edgepack.config.model_source import ModelSettings
from edgepack.config.shared_settings import DEFAULT_TARGETS, QuantizingSettings
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class ExportConfig(QuantizingSettings):
    """Settings for one export.

    ``metric`` is a name known to :func:`edgepack.metrics.find_metric`; None chooses one from the
    labels. ``output`` is the folder to write. ``budgets`` apply in addition to those of the project
    file and of the targets.

    ``compress`` lists the compression steps in order; each applies to the result of the one before.
    ``train`` is the training data for the steps that fine-tune, of the same kinds as
    ``representative``, with labels where the metric needs them. ``checkpoints`` is a folder in
    which every epoch is saved, so that ``resume`` can continue an interrupted run.

    Raises :class:`ConfigError` for inconsistent settings.
    """

    output: Path
    targets: tuple[str, ...] = DEFAULT_TARGETS
    metric: str | None = None
    budgets: Budgets = field(default_factory=Budgets)
    train: Any = None
    compress: tuple[CompressionStep, ...] = ()
    checkpoints: Path | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
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


def as_export(config: ModelSettings, **settings: Any) -> ExportConfig:
    """Return the settings of an export that has those of another command, and others.

    The steps of the pipeline take these, whatever the command.
    """
    names = {each.name for each in fields(ExportConfig)} & {each.name for each in fields(config)}
    return ExportConfig(**{name: getattr(config, name) for name in names} | settings)
