"""Settings of ``edgepack lint``: the model, and the data to check."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.config.quantizing import CalibrationDataSettings


@dataclass(frozen=True, kw_only=True)
class LintConfig(CalibrationDataSettings):
    """Settings for checking the datasets of a model.

    Raises :class:`~edgepack.core.errors.ConfigError` for numbers out of range.
    """
