"""What a .tflite file is to be validated for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets
from edgepack.config.export import DEFAULT_TARGETS
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument
from edgepack.workers.client import Limits

DEFAULT_TIME_LIMIT_S = 60.0
DEFAULT_MEMORY_LIMIT_MIB = 4096


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class ValidateConfig:
    """One validation.

    ``targets`` are names or paths, as :func:`edgepack.devices.target.load_target` takes them.
    ``float_model`` is the float .tflite file to compare with; without one the file
    ``float.tflite`` beside the model is taken, if there is one. ``test``, ``project_file`` and
    ``metric`` are as in :class:`~edgepack.config.export.Recipe`; without test data the interpreters
    run on random inputs. ``budgets`` count besides those of the project file and of the targets.
    ``arm64`` is a folder in which the arm64 build of tflite-runtime runs besides. ``jobs``
    interpreters run side by side, one a core with None, each within ``memory_limit_mib`` MiB, and
    ``time_limit_s`` seconds to load the model, and for each sample. Raises :class:`ConfigError` for
    numbers that do not fit.
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
        if not self.targets:
            raise ConfigError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"jobs {self.jobs}: at least 1 interpreter has to run")
        if not 0 < self.time_limit_s <= _MOST_S:
            raise ConfigError(
                f"time limit {self.time_limit_s:g} s: must be above 0, and {_MOST_S:,} at most"
            )
        if not _LEAST_MIB <= self.memory_limit_mib <= _MOST_MIB:
            raise ConfigError(
                f"memory limit {self.memory_limit_mib} MiB: an interpreter needs {_LEAST_MIB} to"
                f" start, and {_MOST_MIB:,} are the most"
            )

    @property
    def data(self) -> str:
        """What the interpreters run on: ``test`` data, or ``random`` inputs."""
        return "random" if self.test is None else "test"

    @property
    def limits(self) -> Limits:
        """What each interpreter may take."""
        return Limits(time_s=self.time_limit_s, memory_bytes=self.memory_limit_mib << 20)


_LEAST_MIB = 512
_MOST_MIB = 1 << 20
_MOST_S = 24 * 60 * 60
