"""The report of ``edgepack compare``: stages (models), their runs, folds and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgepack.checks.collapsed_outputs import describe_collapse
from edgepack.checks.evidence import outputs_in_words
from edgepack.checks.loss_budgets import LOSS_RULES
from edgepack.config.budgets import Budgets, strictest
from edgepack.core.codec import as_json
from edgepack.core.findings import Finding
from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.closeness import closeness_of
from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.lost_channels import lost_among, worst_channels
from edgepack.evaluation.results import OutputResult
from edgepack.layer_errors.result import DebugReport
from edgepack.report.data.lint import LintReport
from edgepack.report.data.target import EXIT_STATUS, FAILED, NOT_SHOWN, PASSED
from edgepack.report.data.validate import ValidateReport
from edgepack.report.format.channel_words import worst_channels_of
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
    ``collapse_origin`` is where the outputs of a model collapse; None if they do not, or if it is
    unknown. ``channel_cures`` says how to give the channels of an output scales of their own, for
    each output whose scale under-resolves some.
    """

    name: str
    role: str
    file: str
    artifact: Artifact | None
    is_converted: bool
    runs: dict[str, StageRun]
    validation: ValidateReport | None = None
    sparsity: Sparsity | None = None
    layers: DebugReport | None = None
    why_no_layers: str | None = None
    origin: Origin | None = None
    collapse_origin: CollapseOrigin | None = None
    channel_cures: Mapping[str, str] = field(default_factory=dict)


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
class CompareReport:
    """The float model and others, compared on the same samples.

    ``model`` is the float model's name, ``float_runtime`` what ran it. ``data`` describes the test
    data as the manifest does; ``samples`` is their number. ``classes`` are the class names of each
    output that has classes. ``stages`` has the float model first. ``metrics`` is the metric of the
    verdict for each output. ``folds`` is None without ``--folds``. ``lint`` is None if no page was
    requested, or for a reason in ``notes``. ``budgets`` limit what quantization may lose, by
    source. ``inputs`` and ``versions`` are the manifest's.
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
    budgets: dict[str, Budgets]
    inputs: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What fails the quantized models, and what the samples do not show."""
        quantized = [stage for stage in self.stages if stage.role == QUANTIZED]
        return tuple(finding for stage in quantized for finding in self._findings(stage))

    @property
    def word(self) -> str | None:
        """The outcome: PASSED, FAILED or NOT_SHOWN; None without a budget or failure."""
        if any(each.is_failure for each in self.findings):
            return FAILED
        if any(each.is_undecided for each in self.findings):
            return NOT_SHOWN
        return PASSED if self.budgets else None

    @property
    def passed(self) -> bool | None:
        """Whether no model failed; None if that is not shown, or without a budget to keep."""
        return {PASSED: True, FAILED: False}.get(self.word or "")

    @property
    def exit_status(self) -> int:
        """0: nothing failed, 1: a model failed, 4: the samples do not show whether one does."""
        return EXIT_STATUS.get(self.word or PASSED, 0)

    def _findings(self, stage: Stage) -> Iterator[Finding]:
        failures = {name: run.failure for name, run in stage.runs.items() if run.failure}
        for runtime, failure in failures.items():
            yield Finding(
                message=f"{stage.name} did not run on {runtime}: {failure}",
                is_note=not self.budgets and len(failures) < len(stage.runs),
            )
        outputs = outputs_in_words(
            stage.name,
            {
                runtime: {
                    name: closeness
                    for name, result in run.outputs.items()
                    if (closeness := closeness_of(result, self.metrics.get(name), self.samples))
                }
                for runtime, run in stage.runs.items()
            },
        )
        for name, closeness in outputs.items():
            if closeness.collapse:
                yield describe_collapse(name, closeness, stage.collapse_origin)
        for source, budgets in self.budgets.items():
            for rule in LOSS_RULES:
                yield from rule(outputs, source, budgets)
        yield from _channel_findings(stage)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json; its JSON Schema is ``compare.schema.json``."""
        fields = asdict(self) | {
            "schema": SCHEMA,
            "kind": "comparison",
            "passed": self.passed,
            "verdict": self.word,
            "findings": as_json(self.findings),
            "max_drop": strictest(self.budgets.values()).max_drop,
            "budgets": {source: each.given for source, each in self.budgets.items()},
        }
        for stage, written in zip(self.stages, fields["stages"], strict=True):
            written["validation"] = stage.validation.to_dict() if stage.validation else None
            written["layers"] = stage.layers.to_dict() if stage.layers else None
        fields["lint"] = self.lint.to_dict() if self.lint else None
        content: dict[str, Any] = finite_or_none(fields)
        return content


def _channel_findings(stage: Stage) -> Iterator[Finding]:
    """Yield the worst channels of each output of a model; those that are lost fail it."""
    found: dict[str, list[tuple[ChannelGroup, ...]]] = {}
    for run in stage.runs.values():
        for name, result in run.outputs.items():
            found.setdefault(name, []).append(result.channels)
    for name, groups in found.items():
        if worst := worst_channels(groups):
            yield Finding(
                message=f"{stage.name}: {worst_channels_of(name, worst)}",
                cure=stage.channel_cures.get(name),
                is_note=not any(map(lost_among, groups)),
            )
