"""The report of a comparison: data first, written by the modules beside this one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.results import OutputResult
from edgepack.layer_errors.result import DebugReport
from edgepack.report.data.lint import LintReport
from edgepack.report.data.validation import ValidationReport
from edgepack.report.format.finite import finite
from edgepack.storage.artifact import Artifact
from edgepack.tflite.sparsity import Sparsity

FLOAT, PRUNED, QUANTIZED = "float", "pruned", "quantized"
"""The roles of stages."""


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """What one interpreter made of a model on the test data; ``failure`` says why nothing.

    ``outputs`` are by the names that the float model gives them.
    """

    version: str
    failure: str | None
    outputs: dict[str, OutputResult]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the folder that edgepack wrote a file into tells of it.

    ``recipe`` and ``versions`` are the manifest's, ``notes`` the report's. ``c_array`` is the
    file with the model as C, which ``is_same_as_c`` found to hold the same bytes; None if there is
    none.
    """

    recipe: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...]
    c_array: Artifact | None
    is_same_as_c: bool | None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A model on its way: as given, pruned, quantized.

    ``file`` is its file's name and ``artifact`` tells that; the float model's are those of its
    .tflite, converted if need be, where ``is_converted``. ``runs`` are by interpreter.
    ``validation`` (on random inputs), ``sparsity`` of the weights and ``layers`` are None where no
    page was asked for; ``layers`` also of what was not quantized, and where ``why_no_layers`` says
    so. ``origin`` is None for a file that stands alone.
    """

    name: str
    role: str
    file: str
    artifact: Artifact | None
    is_converted: bool
    runs: dict[str, StageRun]
    validation: ValidationReport | None = None
    sparsity: Sparsity | None = None
    layers: DebugReport | None = None
    why_no_layers: str | None = None
    origin: Origin | None = None


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One fold: calibrated on the others, tested on its own ``samples``.

    ``loss`` is as in :class:`~edgepack.evaluation.results.Change`.
    """

    samples: int
    float_value: float
    value: float
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class FoldsReport:
    """The cross-validation of the calibration, on LiteRT.

    ``is_stratified`` tells that each fold has its share of each class. ``settings`` says in words
    how the model was quantized. ``mean`` and ``deviation`` (the standard deviation, of a sample of
    folds) are of the metric ``metric``, ``mean_loss`` and ``loss_deviation`` of what is lost.
    """

    metric: str
    is_stratified: bool
    settings: str
    folds: tuple[Fold, ...]
    mean: float
    deviation: float
    mean_loss: float | None
    loss_deviation: float | None


@dataclass(frozen=True, kw_only=True)
class ComparisonReport:
    """The float model and others, on the same samples.

    ``float_runtime`` is what ran the float model. ``data`` describes the test data as the manifest
    does; ``classes`` are the names of the classes, for each output that has them. ``stages`` has
    the float model first. ``metrics`` names for each output the metric that the verdict is about.
    ``lint`` is None where no page was asked for, or a note says why. ``inputs`` and ``versions``
    are the manifest's.
    """

    model: str
    float_runtime: str
    data: dict[str, Any]
    samples: int
    classes: dict[str, tuple[str, ...]]
    metrics: dict[str, str]
    stages: tuple[Stage, ...]
    folds: FoldsReport | None
    lint: LintReport | None
    max_drop: float | None
    inputs: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool | None:
        """Whether no candidate failed, or lost more than ``max_drop``; None without that."""
        if self.max_drop is None:
            return None
        candidates = (stage for stage in self.stages if stage.role == QUANTIZED)
        runs = [run for stage in candidates for run in stage.runs.values()]
        losses = (self._loss(*output) for run in runs for output in run.outputs.items())
        return not any(run.failure for run in runs) and all(
            loss is not None and loss <= self.max_drop for loss in losses
        )

    def _loss(self, name: str, output: OutputResult) -> float | None:
        if name not in self.metrics:
            return 0.0  # there is nothing to hold it against
        change = output.metrics[self.metrics[name]].change
        return change.loss if change else None

    def to_dict(self) -> dict[str, Any]:
        """Return what report.json holds; its JSON Schema is ``comparison.schema.json``."""
        found = asdict(self) | {
            "schema": SCHEMA,
            "kind": "comparison",
            "passed": self.passed,
        }
        for stage, told in zip(self.stages, found["stages"], strict=True):
            told["validation"] = stage.validation.to_dict() if stage.validation else None
            told["layers"] = stage.layers.to_dict() if stage.layers else None
        found["lint"] = self.lint.to_dict() if self.lint else None
        made: dict[str, Any] = finite(found)
        return made
