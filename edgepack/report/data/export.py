"""The report: data first; :mod:`edgepack.report.text.export` is how a person reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.calibration.activations.activation_statistics import Growth
from edgepack.compression.pruning.settings import Prune
from edgepack.config.quantization import Quantization
from edgepack.core.codec import as_json
from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison
from edgepack.quantization.represented_ranges import RepresentedRange
from edgepack.report.data.compression import StepReport, last_of
from edgepack.report.data.target import TargetReport
from edgepack.storage.artifact import Artifact
from edgepack.tflite.sparsity import Sparsity


@dataclass(frozen=True, kw_only=True)
class RuntimeReport:
    """How one interpreter ran the quantized model.

    ``deviations`` are from the reference kernels of tflite-runtime, by output; none where those
    or the interpreter did not run. ``arena_bytes`` is measured on this host.
    """

    version: str
    deviations: dict[str, Deviation]
    arena_bytes: int | None
    failure: str | None


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """Where the ranges of activations come from, and what became of them in the quantized file.

    ``observer`` is None where the ranges were given, ``samples`` where edgepack did not observe
    them itself; then there is no ``growth`` either.
    """

    observer: str | None
    samples: int | None
    growth: tuple[Growth, ...]
    activations: dict[str, RepresentedRange]


@dataclass(frozen=True, kw_only=True)
class SparsityReport:
    """Zeros among the weights of the float model, and among those of the quantized file."""

    float: Sparsity
    quantized: Sparsity


@dataclass(frozen=True, kw_only=True)
class QuantizationReport:
    """What a model was quantized to.

    ``in_float`` names what is left in float on purpose: layers that compute in float, or, where the
    scheme computes in float, weights that it left. ``dense`` tells the scales of dense layers as
    the file has them; None if it has no such layers.
    """

    settings: Quantization
    in_float: tuple[str, ...]
    dense: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as they took effect, and what is in float."""
        settings = self.settings
        told: dict[str, Any] = as_json(settings)
        return told | {
            "input_type": settings.inputs,
            "output_type": settings.outputs,
            "dense": self.dense,
            "in_float": list(self.in_float),
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an export made and how good it is.

    ``float_runtime`` is what ran the float model; ``compression`` has the steps that were taken,
    in order; ``notes`` says what could not be checked.
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

    @property
    def passed(self) -> bool:
        """Whether the model passed on every target."""
        return all(target.verdict.passed for target in self.targets.values())

    def to_dict(self) -> dict[str, Any]:
        """Return what report.json holds.

        What the last pruning was stands beside the list of steps, which only a compressed model
        has.
        """
        pruned = last_of(self.compression, Prune.technique)
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
            "notes": list(self.notes),
        }
