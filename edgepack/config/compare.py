"""Settings of ``edgepack compare``: the models to compare, and the data to compare them on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets
from edgepack.config.firmware import NamedModel
from edgepack.config.inputs import without_none
from edgepack.config.model_source import ModelSettings
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument

MIN_FOLDS = 2


@former_argument("recipe_file", "project_file")
@former_argument(
    "max_drop",
    "budgets",
    renew=lambda limit: Budgets(max_drop=limit),
    restore=lambda budgets: budgets.max_drop,
)
@dataclass(frozen=True, kw_only=True)
class CompareConfig(ModelSettings):
    """Settings for comparing a float model with models derived from it.

    ``model`` is the float model: any model that can be exported, or a float .tflite file;
    ``weights``, ``custom_objects`` and ``allow_unsafe`` are as in
    :class:`~edgepack.config.model_source.ModelSource`. ``candidates`` are .tflite files with the
    names that the report uses for them. ``test`` and ``project_file`` are as in
    :class:`~edgepack.config.export.ExportConfig`. ``metric`` is the metric of the verdict; None
    chooses one from the labels. ``labels`` is a text file with the class names, one per line.
    Candidates run on the interpreters of ``targets``.

    ``folds`` is the number of folds of the test data for cross-validating the calibration; None
    skips it. ``budgets`` limit what quantization may lose; each that is set here replaces that of
    the project file and of the targets. ``output`` is the folder for the report and its page,
    None to write nothing; ``force`` replaces a folder that edgepack wrote. ``is_cached`` caches the
    models' outputs for later comparisons.

    Raises :class:`ConfigError` for inconsistent settings.
    """

    candidates: tuple[NamedModel, ...]
    test: Any
    project_file: Path | None = None
    metric: str | None = None
    labels: Path | None = None
    targets: tuple[str, ...] = DEFAULT_TARGETS
    folds: int | None = None
    budgets: Budgets = field(default_factory=Budgets)
    output: Path | None = None
    force: bool = False
    is_cached: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.candidates:
            raise ConfigError("nothing to compare with: give at least one quantized .tflite file")
        if not self.targets:
            raise ConfigError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
        if self.folds is not None and len(self.candidates) > 1:
            raise ConfigError(
                f"folds {self.folds}: test the calibration of one model; give one quantized file"
            )
        if self.folds is not None and self.folds < MIN_FOLDS:
            raise ConfigError(
                f"folds {self.folds}: at least {MIN_FOLDS} are needed, one to test on and one to"
                " calibrate with"
            )

    @property
    def inputs(self) -> dict[str, Any]:
        """The input data by role, without the models and the targets."""
        return without_none(test=self.test, recipe_file=self.project_file, labels=self.labels)
