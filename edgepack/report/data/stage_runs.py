"""What the interpreters of a comparison made of the models, one line after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from edgepack.evaluation.results import ClassResult, MetricResult, OutputResult
from edgepack.report.data.comparison import FLOAT, ComparisonReport, Stage, StageRun


@dataclass(frozen=True, kw_only=True)
class StageOutput:
    """One output of a model, as one interpreter gave it."""

    stage: Stage
    runtime: str
    output: OutputResult

    @property
    def name(self) -> str:
        """The stage, and the interpreter where it ran on several."""
        return run_name(self.stage, self.runtime)

    @property
    def is_float(self) -> bool:
        """Whether it is the model that the others are held against."""
        return self.stage.role == FLOAT


def run_name(stage: Stage, runtime: str) -> str:
    """Name a run by its stage, and by the interpreter where there are several."""
    return f"{stage.name} on {runtime}" if len(stage.runs) > 1 else stage.name


def all_runs(report: ComparisonReport) -> Iterator[tuple[Stage, str, StageRun]]:
    """Go through the stages and their interpreters, the float model first."""
    for stage in report.stages:
        for runtime, run in stage.runs.items():
            yield stage, runtime, run


def output_names(report: ComparisonReport) -> list[str]:
    """Name the outputs that any interpreter gave."""
    return list(dict.fromkeys(name for _, _, run in all_runs(report) for name in run.outputs))


def stage_outputs(report: ComparisonReport, output: str) -> list[StageOutput]:
    """Find what the interpreters gave for an output, the float model first."""
    return [
        StageOutput(stage=stage, runtime=runtime, output=run.outputs[output])
        for stage, runtime, run in all_runs(report)
        if output in run.outputs
    ]


def worst_runs(report: ComparisonReport, output: str) -> list[StageOutput]:
    """Find one run of each stage: that of the interpreter on which it loses most."""
    found: dict[str, StageOutput] = {}
    for each in stage_outputs(report, output):
        known = found.get(each.stage.name)
        if known is None or _cost(report, output, each) > _cost(report, output, known):
            found[each.stage.name] = each
    return list(found.values())


def worst_note(report: ComparisonReport) -> str:
    """Say which of several interpreters is shown; nothing where models ran on one."""
    if all(len(stage.runs) == 1 for stage in report.stages):
        return ""
    return "Of several interpreters the one is shown on which a model loses most."


def verdict_metric(
    report: ComparisonReport, output: str, result: OutputResult
) -> MetricResult | None:
    """Find the metric that the verdict is about; None without labels."""
    return result.metrics.get(report.metrics.get(output, ""))


def recall_lost(of_float: ClassResult | None, other: ClassResult) -> float:
    """Tell what a class lost of its recall, 0 where that is not known."""
    if of_float is None or of_float.recall is None or other.recall is None:
        return 0.0
    return of_float.recall - other.recall


def title(report: ComparisonReport, text: str, output: str) -> str:
    """Name something of an output, and the output where there are several."""
    return f"{text}: {output}" if len(output_names(report)) > 1 else text


def _cost(report: ComparisonReport, output: str, each: StageOutput) -> float:
    metric = verdict_metric(report, output, each.output)
    if metric and metric.change and metric.change.loss is not None:
        return metric.change.loss
    distance = each.output.distance
    return distance.mean_abs_error if distance and metric is None else -inf
