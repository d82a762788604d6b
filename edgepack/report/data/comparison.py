"""The report of ``edgepack compare``: stages (models), their runs, folds and settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.results import OutputResult
from edgepack.layer_errors.result import DebugReport
from edgepack.report.data.lint import LintReport
from edgepack.report.data.validation import ValidationReport
from edgepack.report.format.finite import finite_or_none
from edgepack.storage.artifact import Artifact
from edgepack.tflite.sparsity import Sparsity

FLOAT, PRUNED, QUANTIZED = "float", "pruned", "quantized"
"""The roles of stages."""


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """One interpreter's run of a model on the test data.

    ``failure`` is why it did not run, None if it did. ``outputs`` are by the names that the float
    model has for them.
    """

    version: str
    failure: str | None
    outputs: dict[str, OutputResult]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a file comes from, as recorded in the folder that edgepack wrote it into.

    ``recipe`` and ``versions`` are the manifest's, ``notes`` the report's. ``c_array`` is the file
    with the model as a C array, and ``is_same_as_c`` whether that holds the same bytes; both are
    None if there is no such file.
    """

    recipe: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...]
    c_array: Artifact | None
    is_same_as_c: bool | None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A model at one stage: as provided (float), pruned or quantized.

    ``file`` is the name of its file, and ``artifact`` the file's size and content; the float
    model's are those of its .tflite file, which was converted if ``is_converted``. ``runs`` are by
    interpreter. ``validation`` (on random inputs), ``sparsity`` of the weights and ``layers`` are
    None if no page was requested; ``layers`` also for a model that is not quantized, and where
    ``why_no_layers`` gives a reason. ``origin`` is None for a file without a manifest.
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
    """One fold: calibrated on the others, tested on its own ``samples`` (a count).

    ``loss`` is in the unit of :class:`~edgepack.evaluation.results.Change`.
    """

    samples: int
    float_value: float
    value: float
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class FoldsReport:
    """The cross-validation of the calibration, on LiteRT.

    ``is_stratified`` is whether the folds are stratified by class. ``settings`` describes in words
    how the model was quantized. ``mean`` and ``deviation`` (the sample standard deviation over the
    folds) are those of the metric ``metric``, ``mean_loss`` and ``loss_deviation`` those of its
    loss.
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
    """The float model and others, compared on the same samples.

    ``float_runtime`` is what ran the float model. ``data`` describes the test data as the manifest
    does. ``classes`` are the class names of each output that has classes. ``stages`` has the float
    model first. ``metrics`` is the metric of the verdict for each output. ``lint`` is None if no
    page was requested, or for a reason in ``notes``. ``max_drop`` is the largest accepted loss, in
    the unit of :class:`~edgepack.evaluation.results.Change`; None for no limit. ``inputs`` and
    ``versions`` are the manifest's.
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
        """Whether every quantized model ran everywhere and lost at most ``max_drop``.

        None without ``max_drop``.
        """
        if self.max_drop is None:
            return None
        quantized = (stage for stage in self.stages if stage.role == QUANTIZED)
        runs = [run for stage in quantized for run in stage.runs.values()]
        losses = (self._loss(*output) for run in runs for output in run.outputs.items())
        return not any(run.failure for run in runs) and all(
            loss is not None and loss <= self.max_drop for loss in losses
        )

    def _loss(self, name: str, output: OutputResult) -> float | None:
        if name not in self.metrics:
            return 0.0  # there are no labels to measure a loss by
        change = output.metrics[self.metrics[name]].change
        return change.loss if change else None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json; its JSON Schema is ``comparison.schema.json``."""
        fields = asdict(self) | {
            "schema": SCHEMA,
            "kind": "comparison",
            "passed": self.passed,
        }
        for stage, written in zip(self.stages, fields["stages"], strict=True):
            written["validation"] = stage.validation.to_dict() if stage.validation else None
            written["layers"] = stage.layers.to_dict() if stage.layers else None
        fields["lint"] = self.lint.to_dict() if self.lint else None
        content: dict[str, Any] = finite_or_none(fields)
        return content
