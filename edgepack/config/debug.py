"""Settings of ``edgepack debug``: the model, its data, and how it is quantized."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.config.shared_settings import QuantizingSettings


@dataclass(frozen=True, kw_only=True)
class DebugConfig(QuantizingSettings):
    """Settings for the search for the layers in which quantization costs accuracy.

    Without ``targets``, what the default targets support is tried. ``output`` is the folder to
    write, None to write nothing. Raises :class:`~edgepack.core.errors.ConfigError` for numbers out
    of range.
    """

    output: Path | None = None
