"""The model that a command loads, and everything needed to load it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.config.checked_settings import Settings
from edgepack.config.inputs import without_none


@dataclass(frozen=True, kw_only=True)
class ModelSource(Settings):
    """A model, and everything needed to load it.

    ``path`` is that of the model, the others are as in :class:`ModelSettings`.
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
class ModelSettings(Settings):
    """Settings of a command that loads a model.

    ``model`` is the path of its file or SavedModel folder, ``weights`` the weights file for a model
    given as the JSON text of ``model.to_json()``. ``custom_objects`` names the user's own classes
    and functions as ``module:NAME``; they are imported. ``allow_unsafe`` allows the model file to
    run its own code.
    """

    model: Path
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False

    @property
    def source(self) -> ModelSource:
        """The model, and everything needed to load it."""
        return ModelSource(
            path=self.model,
            weights=self.weights,
            custom_objects=self.custom_objects,
            allow_unsafe=self.allow_unsafe,
        )
