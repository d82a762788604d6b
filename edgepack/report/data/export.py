"""The report of ``edgepack export`` and ``edgepack quantize``.

:mod:`edgepack.report.text.export` writes it as text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from edgepack.calibration.activations.activation_statistics import Growth
from edgepack.calibration.lint import LintFinding
from edgepack.compression.pruning.settings import Prune
from edgepack.config.budgets import Budgets
from edgepack.config.quantization import Quantization
from edgepack.core.codec import as_json
from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison
from edgepack.quantization.represented_ranges import RepresentedRange
from edgepack.report.data.compression import StepReport, last_step_of
from edgepack.report.data.target import (
    EXIT_STATUS,
    FAILED,
    NOT_SHOWN,
    PASSED,
    TargetReport,
    outcome_on,
)
from edgepack.report.format.finite import finite_or_none
from edgepack.storage.artifact import Artifact
from edgepack.tflite.sparsity import Sparsity


@dataclass(frozen=True, kw_only=True)
class RuntimeReport:
    """How one interpreter ran the quantized model.

    ``deviations`` are from the reference kernels of tflite-runtime, by output; empty if those or
    the interpreter did not run. ``arena_bytes`` is measured on this host. ``failure`` is why it did
    not run, None if it did.
    """

    version: str
    deviations: dict[str, Deviation]
    arena_bytes: int | None
    failure: str | None


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """Where the ranges of activations come from, and what the quantized file represents.

    ``observer`` is None if the user provided the ranges. ``samples`` is None, and ``growth`` empty,
    if edgepack did not observe the ranges itself. ``activations`` are by tensor name.
    """

    observer: str | None
    samples: int | None
    growth: tuple[Growth, ...]
    activations: dict[str, RepresentedRange]


@dataclass(frozen=True, kw_only=True)
class SparsityReport:
    """Zeros among the weights of the float model and of the quantized file."""

    float: Sparsity
    quantized: Sparsity


@dataclass(frozen=True, kw_only=True)
class QuantizationReport:
    """How a model was quantized.

    ``in_float`` names what is left in float on purpose: layers that compute in float or, if the
    scheme itself computes in float, weights that it leaves. ``dense`` is the granularity of the
    scales of dense layers in the file; None if it has no such layers.
    """

    settings: Quantization
    in_float: tuple[str, ...]
    dense: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings in effect, and what is left in float."""
        settings = self.settings
        fields: dict[str, Any] = as_json(settings)
        return fields | {
            "input_type": settings.inputs,
            "output_type": settings.outputs,
            "dense": self.dense,
            "in_float": list(self.in_float),
        }


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """The files that an export wrote, and how good the model is.

    ``float_runtime`` is what ran the float model. ``artifacts`` are by path, ``runtimes`` by
    interpreter, ``targets`` by name. ``compression`` has the steps in order. ``budgets`` limit what
    quantization may lose, by source. ``lint`` has the linter's findings in the data. ``notes`` are
    remarks, such as on what could not be checked.
    """

    model: str
    float_runtime: str
    artifacts: dict[str, Artifact]
    quantization: QuantizationReport
    comparison: Comparison
    compression: tuple[StepReport, ...]
    calibration: CalibrationReport | None
    runtimes: dict[str, RuntimeReport]
    sparsity: SparsityReport
    targets: dict[str, TargetReport]
    notes: tuple[str, ...]
    budgets: dict[str, Budgets] = field(default_factory=dict)
    lint: tuple[LintFinding, ...] = ()

    @property
    def word(self) -> str:
        """The gravest outcome on the targets; ``RUNS`` if nothing limits what may be lost."""
        return outcome_on(self.targets, self.budgets)

    @property
    def passed(self) -> bool:
        """Whether no check failed, and none is undecided; for a target not checked, of others."""
        return all(target.verdict.passed for target in self.targets.values())

    @property
    def exit_status(self) -> int:
        """0: passed, 1: failed on a target, 4: the samples do not show whether it does.

        An export does without interpreters that are not installed.
        """
        if any(target.verdict.failed for target in self.targets.values()):
            return EXIT_STATUS[FAILED]
        return EXIT_STATUS[PASSED if self.passed else NOT_SHOWN]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json.

        The record of the last pruning is under ``pruning``, apart from the list of all steps under
        ``compression``, which only a compressed model has. Numbers that are not finite are null.
        """
        content: dict[str, Any] = finite_or_none(self._content())
        return content

    def _content(self) -> dict[str, Any]:
        pruned = last_step_of(self.compression, Prune.technique)
        steps = [step.to_dict() for step in self.compression]
        return {
            "schema": SCHEMA,
            "model": self.model,
            "float_runtime": self.float_runtime,
            "passed": self.passed,
            "artifacts": {name: asdict(artifact) for name, artifact in self.artifacts.items()},
            "quantization": self.quantization.to_dict(),
            "comparison": self.comparison.to_dict(),
            "pruning": as_json(pruned.record) if pruned else None,
            **({"compression": steps} if steps else {}),
            "calibration": asdict(self.calibration) if self.calibration else None,
            "runtimes": {name: asdict(runtime) for name, runtime in self.runtimes.items()},
            "sparsity": asdict(self.sparsity.float)
            | {self.comparison.scheme: asdict(self.sparsity.quantized)},
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            "budgets": {source: each.given for source, each in self.budgets.items()},
            "lint": as_json(self.lint),
            "notes": list(self.notes),
        }
