"""Settings of ``edgepack validate``: the file, the targets, the data and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets
from edgepack.config.checked_settings import Settings
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument
from edgepack.workers.client import Limits

RANDOM, TEST = "random", "test"
"""The kinds of data that interpreters run on."""

DEFAULT_TIME_LIMIT_S = 60.0
DEFAULT_MEMORY_LIMIT_MIB = 4096


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class ValidateConfig(Settings):
    """Settings for one validation.

    ``model`` is the .tflite file. ``targets`` are names or paths, as for
    :func:`edgepack.devices.target.load_target`. ``float_model`` is the float .tflite file to
    compare with; None uses ``float.tflite`` beside the model, if it exists. ``test``,
    ``project_file`` and ``metric`` are as in :class:`~edgepack.config.export.ExportConfig`; without
    test data the interpreters run on random inputs. ``budgets`` apply in addition to those of the
    project file and of the targets. ``arm64`` is a folder with an arm64 build of tflite-runtime to
    run as well. ``jobs`` is the number of interpreters that run in parallel, None for one per core.
    Each may use ``memory_limit_mib`` MiB, and take ``time_limit_s`` seconds to load the model and
    again for each sample. Raises :class:`ConfigError` for numbers out of range.
    """

    model: Path
    targets: tuple[str, ...] = DEFAULT_TARGETS
    float_model: Path | None = None
    test: Any = None
    project_file: Path | None = None
    metric: str | None = None
    budgets: Budgets = field(default_factory=Budgets)
    arm64: Path | None = None
    jobs: int | None = None
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    memory_limit_mib: int = DEFAULT_MEMORY_LIMIT_MIB

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.targets:
            raise ConfigError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"jobs {self.jobs}: must be at least 1")
        if not 0 < self.time_limit_s <= _MAX_TIME_S:
            raise ConfigError(
                f"time limit {self.time_limit_s:g} s: must be above 0, and at most {_MAX_TIME_S:,}"
            )
        if not _MIN_MEMORY_MIB <= self.memory_limit_mib <= _MAX_MEMORY_MIB:
            raise ConfigError(
                f"memory limit {self.memory_limit_mib} MiB: an interpreter needs {_MIN_MEMORY_MIB}"
                f" to start, and the most is {_MAX_MEMORY_MIB:,}"
            )

    @property
    def data(self) -> str:
        """The kind of data that the interpreters run on: ``test`` or ``random``."""
        return RANDOM if self.test is None else TEST

    @property
    def limits(self) -> Limits:
        """The time and memory limits of each interpreter."""
        return Limits(time_s=self.time_limit_s, memory_bytes=self.memory_limit_mib << 20)


_MIN_MEMORY_MIB = 512
_MAX_MEMORY_MIB = 1 << 20
_MAX_TIME_S = 24 * 60 * 60
