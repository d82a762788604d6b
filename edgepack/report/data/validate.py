"""The report of ``edgepack validate``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from edgepack.config.budgets import Budgets
from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison
from edgepack.report.data.target import EXIT_STATUS, PASSED, TargetReport, gravest, outcome_on
from edgepack.report.format.finite import finite_or_none
from edgepack.runtimes.latency import Latency
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class RuntimeValidation:
    """How one interpreter ran the model, on this machine.

    ``failure`` is why it did not run, None if it did. ``deviations`` are from the reference kernels
    of tflite-runtime, by output. ``latency`` and ``latency_ratio`` (to the float model's latency)
    are this machine's, not a device's. ``peak_memory_bytes`` is that of the interpreter's process.
    ``values`` are those of the metrics of the file itself, by output, where there is no float model
    to compare with; None if undefined. ``sampled`` is the number of samples that were run, None for
    all.
    """

    version: str
    failure: str | None
    deviations: dict[str, Deviation]
    latency: Latency | None
    latency_ratio: float | None
    peak_memory_bytes: int | None
    values: dict[str, float | None] = field(default_factory=dict)
    sampled: int | None = None


@dataclass(frozen=True, kw_only=True)
class ValidateReport:
    """How a .tflite file runs on interpreters, and whether targets can run it.

    ``model`` is the file's name, ``data`` what it ran on: ``test`` or ``random``. ``comparison`` is
    that with the float model, None if there is none. ``runtimes`` are by interpreter, ``targets``
    by name. ``budgets`` limit what quantization may lose, by source. ``metrics`` are the names of
    those of the file itself, by output, without a float model. ``notes`` are remarks, such as on
    what could not be compared.
    """

    model: str
    artifact: Artifact
    data: str
    samples: int
    comparison: Comparison | None
    runtimes: dict[str, RuntimeValidation]
    targets: dict[str, TargetReport]
    notes: tuple[str, ...]
    budgets: dict[str, Budgets] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The gravest outcome on the targets; ``RUNS`` if nothing limits what may be lost."""
        return outcome_on(self.targets, self.budgets)

    @property
    def passed(self) -> bool:
        """Whether the model was checked on every target, and passed."""
        return all(target.word == PASSED for target in self.targets.values())

    @property
    def exit_status(self) -> int:
        """0: passed, 1: failed on a target, 3: not checked for one, 4: not shown for one."""
        return EXIT_STATUS[gravest([target.word for target in self.targets.values()])]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json, with null for numbers that are not finite."""
        fields = {
            "schema": SCHEMA,
            "model": self.model,
            "passed": self.passed,
            "artifact": asdict(self.artifact),
            "data": self.data,
            "samples": self.samples,
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "runtimes": {name: asdict(runtime) for name, runtime in self.runtimes.items()},
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            "budgets": {source: each.given for source, each in self.budgets.items()},
            "metrics": self.metrics,
            "notes": list(self.notes),
        }
        content: dict[str, Any] = finite_or_none(fields)
        return content
