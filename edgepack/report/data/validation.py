"""The report of ``edgepack validate``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison
from edgepack.report.data.target import FAILED, NOT_CHECKED, PASSED, TargetReport
from edgepack.runtimes.latency import Latency
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class RuntimeValidation:
    """How one interpreter ran the model, on this machine.

    ``failure`` is why it did not run, None if it did. ``deviations`` are from the reference kernels
    of tflite-runtime, by output. ``latency`` and ``latency_ratio`` (to the float model's latency)
    are this machine's, not a device's. ``peak_memory_bytes`` is that of the interpreter's process.
    """

    version: str
    failure: str | None
    deviations: dict[str, Deviation]
    latency: Latency | None
    latency_ratio: float | None
    peak_memory_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """How a .tflite file runs on interpreters, and whether targets can run it.

    ``model`` is the file's name, ``data`` what it ran on: ``test`` or ``random``. ``comparison`` is
    that with the float model, None if there is none. ``runtimes`` are by interpreter, ``targets``
    by name. ``notes`` are what could not be compared.
    """

    model: str
    artifact: Artifact
    data: str
    samples: int
    comparison: Comparison | None
    runtimes: dict[str, RuntimeValidation]
    targets: dict[str, TargetReport]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the model was checked on every target, and passed."""
        return all(target.word == PASSED for target in self.targets.values())

    @property
    def exit_status(self) -> int:
        """0: passed, 1: failed on a target, 3: could not be checked for one."""
        words = {target.word for target in self.targets.values()}
        return 1 if FAILED in words else 3 if NOT_CHECKED in words else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "passed": self.passed,
            "artifact": asdict(self.artifact),
            "data": self.data,
            "samples": self.samples,
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "runtimes": {name: asdict(runtime) for name, runtime in self.runtimes.items()},
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            "notes": list(self.notes),
        }
