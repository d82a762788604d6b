"""Settings of ``edgepack inspect``: the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.config.checked_settings import Settings


@dataclass(frozen=True, kw_only=True)
class InspectConfig(Settings):
    """Settings for inspecting ``model``, a .tflite file."""

    model: Path
