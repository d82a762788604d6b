"""Settings of ``edgepack lint``: the model, and the data to check."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.config.shared_settings import CalibrationDataSettings
from edgepack.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LintConfig(CalibrationDataSettings):
    """Settings for checking the datasets of a model.

    Raises :class:`ConfigError` for numbers out of range, and without a
    representative dataset.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.representative is None:
            raise ConfigError("there are no data to check: give the representative dataset")
