"""What firmware is to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument

DEFAULT_VECTORS = 4
MAX_VECTORS = 1000
LONE = ""
"""Stands for the name of the only model."""

_MAX_MARGIN_PERCENT = 1000.0


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A .tflite file, under the name that its C symbols start with; None for the file's own."""

    path: Path
    name: str | None = None


@former_argument("recipe_files", "project_files")
@dataclass(frozen=True, kw_only=True)
class FirmwareConfig:
    """Firmware for one target.

    ``target`` is a name or a path, as :func:`edgepack.devices.target.load_target` takes it;
    ``layout`` is one of :data:`edgepack.emit.tflm.layouts.LAYOUTS`, the target's own if it is None.
    ``labels`` (text files, one a line), ``project_files`` and ``tests`` (samples for the test
    vectors, random inputs without) are by the model's name, or under :data:`LONE` for the only
    model. ``arena_margin_percent`` is added to the arena that is computed. Raises
    :class:`ConfigError` for numbers that do not fit.
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
        if not self.models:
            raise ConfigError("no model: give a .tflite file at least")
        if not 1 <= self.vectors <= MAX_VECTORS:
            raise ConfigError(f"vectors {self.vectors}: must be 1 to {MAX_VECTORS}")
        if not 0 <= self.arena_margin_percent <= _MAX_MARGIN_PERCENT:
            raise ConfigError(
                f"arena margin {self.arena_margin_percent:g}: is in percent, 0 to"
                f" {_MAX_MARGIN_PERCENT:g}"
            )
