"""Settings of ``edgepack study``: the model, the test data, and the fixed-point weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.config.known_words import require_one_of
from edgepack.config.model_source import ModelSettings
from edgepack.config.shared_settings import DEFAULT_SEED, require_valid_seed
from edgepack.core.errors import ConfigError

NEAREST, STOCHASTIC = "nearest", "stochastic"
ROUNDINGS = (NEAREST, STOCHASTIC)
MIN_BITS, MAX_BITS = 2, 8


@dataclass(frozen=True, kw_only=True)
class StudyConfig(ModelSettings):
    """Settings for a study of fixed-point weights: every bit width with every rounding mode.

    ``test``, ``project_file`` and ``metric`` are as in
    :class:`~edgepack.config.export.ExportConfig`. ``bits`` are the numbers of bits of a weight,
    ``roundings`` the rounding modes; ``seed`` is that of stochastic rounding. ``output`` is the
    folder to write; an existing one is replaced only with ``force``. Raises :class:`ConfigError`
    for a bit width out of range or an unknown rounding mode.
    """

    test: Any
    output: Path
    project_file: Path | None = None
    metric: str | None = None
    bits: tuple[int, ...] = tuple(range(MIN_BITS, MAX_BITS + 1))
    roundings: tuple[str, ...] = ROUNDINGS
    seed: int = DEFAULT_SEED
    force: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test is None:
            raise ConfigError("a study needs samples to run the model on: give --test")
        for name in ("bits", "roundings"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty: name at least one, or leave it out for all")
        for bits in self.bits:
            if not MIN_BITS <= bits <= MAX_BITS:
                raise ConfigError(f"bits {bits}: choose {MIN_BITS} to {MAX_BITS}")
        for rounding in self.roundings:
            require_one_of("rounding", rounding, ROUNDINGS)
        require_valid_seed(self.seed)
