"""Settings of ``edgepack firmware``: the models, the target and the layout of the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgepack.config.checked_settings import Settings
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument

DEFAULT_VECTORS = 4
MAX_VECTORS = 1000
ONLY_MODEL = ""
"""The key of settings for the only model, used instead of its name."""

_MAX_MARGIN_PERCENT = 1000.0


@dataclass(frozen=True, kw_only=True)
class NamedModel(Settings):
    """A .tflite file, by its ``path``, and its ``name``.

    In firmware, the name is the prefix of its C symbols; None derives it from the file.
    """

    path: Path
    name: str | None = None


@former_argument("recipe_files", "project_files")
@dataclass(frozen=True, kw_only=True)
class FirmwareConfig(Settings):
    """Settings for the firmware of one target.

    ``models`` are in one firmware. ``output`` is the folder to write; an existing one is replaced
    only with ``force``.

    ``target`` is a name or a path, as for :func:`edgepack.devices.target.load_target`; ``layout``
    is a key of :data:`edgepack.emit.tflm.layouts.LAYOUTS`, None for the target's default.
    ``labels`` (text files, one label per line), ``project_files`` and ``tests`` (samples for the
    test vectors; without them the inputs are random) are keyed by the model's name, or by
    :data:`ONLY_MODEL` for the only model. ``vectors`` is the number of test vectors per model.
    ``arena_margin_percent`` is added to the computed arena size. Raises :class:`ConfigError` for
    numbers out of range.
    """

    models: tuple[NamedModel, ...]
    target: str
    output: Path
    layout: str | None = None
    labels: Mapping[str, Path] = field(default_factory=dict)
    project_files: Mapping[str, Path] = field(default_factory=dict)
    tests: Mapping[str, Any] = field(default_factory=dict)
    vectors: int = DEFAULT_VECTORS
    arena_margin_percent: float = 0.0
    force: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.models:
            raise ConfigError("no model: give at least one .tflite file")
        if not 1 <= self.vectors <= MAX_VECTORS:
            raise ConfigError(f"vectors {self.vectors}: must be 1 to {MAX_VECTORS}")
        if not 0 <= self.arena_margin_percent <= _MAX_MARGIN_PERCENT:
            raise ConfigError(
                f"arena margin {self.arena_margin_percent:g}: must be 0 to"
                f" {_MAX_MARGIN_PERCENT:g} percent"
            )
