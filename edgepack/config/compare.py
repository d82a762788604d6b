"""Which models are to be compared, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.config import export
from edgepack.config.budgets import Budgets
from edgepack.config.export import DEFAULT_TARGETS
from edgepack.config.firmware import NamedModel
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument

FEWEST_FOLDS = 2


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """One comparison of a float model with others that were made of it.

    ``model`` is the float model: what an export takes, or a float .tflite file; ``weights``,
    ``custom_objects`` and ``allow_unsafe`` are as in :class:`~edgepack.config.export.ModelSource`.
    ``candidates`` are .tflite files, under the names that the report gives them. ``test`` and
    ``project_file`` are as in :class:`~edgepack.config.export.Recipe`. ``metric`` names the one
    that the verdict is about; None chooses by the labels. ``labels`` is a text file with the names
    of the classes, one a line. Candidates run on the interpreters of ``targets``.

    ``folds`` asks for a cross-validation of the calibration with as many folds of the test data.
    ``max_drop`` is what quantization may cost, in points of a fraction or percent of an error.
    ``output`` is the folder for the report and its page, None for none; ``force`` replaces one
    that edgepack wrote. ``is_cached`` keeps what the models gave for the next comparison.

    Raises :class:`ConfigError` for settings that do not fit, and
    :class:`~edgepack.core.errors.TableError` for a ``max_drop`` that is no limit.
    """

    model: Path
    candidates: tuple[NamedModel, ...]
    test: Any
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False
    project_file: Path | None = None
    metric: str | None = None
    labels: Path | None = None
    targets: tuple[str, ...] = DEFAULT_TARGETS
    folds: int | None = None
    max_drop: float | None = None
    output: Path | None = None
    force: bool = False
    is_cached: bool = True

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ConfigError("nothing to compare with: give a quantized .tflite file at least")
        Budgets(max_drop=self.max_drop)
        if not self.targets:
            raise ConfigError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
        if self.folds is not None and len(self.candidates) > 1:
            raise ConfigError(
                f"folds {self.folds}: judge the calibration of one model; give one quantized file"
            )
        if self.folds is not None and self.folds < FEWEST_FOLDS:
            raise ConfigError(
                f"folds {self.folds}: at least {FEWEST_FOLDS} are needed, one to test on and one to"
                " calibrate with"
            )

    @property
    def source(self) -> export.ModelSource:
        """The float model and what is needed to load it."""
        return export.ModelSource(
            path=self.model,
            weights=self.weights,
            custom_objects=self.custom_objects,
            allow_unsafe=self.allow_unsafe,
        )

    @property
    def inputs(self) -> dict[str, Any]:
        """The data that are read, by their roles; the models and the targets besides."""
        return export.only_given(test=self.test, recipe_file=self.project_file, labels=self.labels)

    def as_recipe(self, output: Path, **settings: Any) -> export.Recipe:
        """Give a recipe of the float model and the test data, with other settings of a recipe."""
        return export.Recipe(
            model=self.model,
            weights=self.weights,
            custom_objects=self.custom_objects,
            allow_unsafe=self.allow_unsafe,
            output=output,
            test=self.test,
            project_file=self.project_file,
            **settings,
        )
