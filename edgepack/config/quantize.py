"""Settings of ``edgepack quantize``: the model, its data, and how it is quantized and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgepack.config.budgets import Budgets
from edgepack.config.shared_settings import QuantizingSettings


@dataclass(frozen=True, kw_only=True)
class QuantizeConfig(QuantizingSettings):
    """Settings for quantizing a model.

    Without ``targets``, the default targets and all interpreters that support the scheme are used.
    ``metric`` and ``budgets`` are as in :class:`~edgepack.config.export.ExportConfig`. ``output``
    is the folder to write. Raises :class:`~edgepack.core.errors.ConfigError` for numbers out of
    range.
    """

    output: Path
    metric: str | None = None
    budgets: Budgets = field(default_factory=Budgets)
