"""Runs and outputs of a comparison's stages, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from edgepack.evaluation.results import ClassResult, MetricResult, OutputResult, WorstSample
from edgepack.report.data.compare import FLOAT, CompareReport, Stage, StageRun


@dataclass(frozen=True, kw_only=True)
class StageOutput:
    """One output of a model on one interpreter."""

    stage: Stage
    runtime: str
    output: OutputResult

    @property
    def name(self) -> str:
        """The stage's name, with the interpreter if there are several."""
        return run_name(self.stage, self.runtime)

    @property
    def is_float(self) -> bool:
        """Whether it is the float model, with which the others are compared."""
        return self.stage.role == FLOAT

    @property
    def has_classes(self) -> bool:
        """Whether it classifies samples, or pixels."""
        return self.output.distance is not None and self.output.distance.agreement is not None

    @property
    def agrees(self) -> bool:
        """Whether it predicts the class of float for every sample, or every pixel."""
        return self.output.distance is not None and self.output.distance.agreement == 1

    @property
    def differing(self) -> tuple[WorstSample, ...]:
        """The samples to show: those of another class than float's, or else the farthest ones."""
        if self.agrees:
            return ()
        return tuple(
            each
            for each in self.output.worst
            if each.of_other.label is None or each.of_other.label != each.of_float.label
        )

    @property
    def agreement_in_words(self) -> str:
        """A sentence for an output that agrees."""
        return f"{self.name} predicts the class of float on every sample."


def run_name(stage: Stage, runtime: str) -> str:
    """Return a run's name: the stage, with the interpreter if it ran on several."""
    return f"{stage.name} on {runtime}" if len(stage.runs) > 1 else stage.name


def all_runs(report: CompareReport) -> Iterator[tuple[Stage, str, StageRun]]:
    """Return stage, interpreter and run of every run, the float model first."""
    for stage in report.stages:
        for runtime, run in stage.runs.items():
            yield stage, runtime, run


def output_names(report: CompareReport) -> list[str]:
    """Return the names of the outputs of all runs, each once."""
    return list(dict.fromkeys(name for _, _, run in all_runs(report) for name in run.outputs))


def stage_outputs(report: CompareReport, output: str) -> list[StageOutput]:
    """Return an output of every run that has it, the float model first."""
    return [
        StageOutput(stage=stage, runtime=runtime, output=run.outputs[output])
        for stage, runtime, run in all_runs(report)
        if output in run.outputs
    ]


def worst_runs(report: CompareReport, output: str) -> list[StageOutput]:
    """Return one run of each stage: that of the interpreter on which the model loses most."""
    worst: dict[str, StageOutput] = {}
    for each in stage_outputs(report, output):
        known = worst.get(each.stage.name)
        if known is None or _loss(report, output, each) > _loss(report, output, known):
            worst[each.stage.name] = each
    return list(worst.values())


def worst_runs_note(report: CompareReport) -> str:
    """Return a note on which interpreter is shown; empty if each model ran on one."""
    if all(len(stage.runs) == 1 for stage in report.stages):
        return ""
    return "Each model is shown on the interpreter on which it loses most."


def verdict_metric(report: CompareReport, output: str, result: OutputResult) -> MetricResult | None:
    """Return the metric of the verdict; None without labels."""
    return result.metrics.get(report.metrics.get(output, ""))


def recall_lost(of_float: ClassResult | None, other: ClassResult) -> float:
    """Return how much recall a class lost, as a fraction; 0 if unknown."""
    if of_float is None or of_float.recall is None or other.recall is None:
        return 0.0
    return of_float.recall - other.recall


def output_title(report: CompareReport, text: str, output: str) -> str:
    """Return a title, with the output's name if there are several outputs."""
    return f"{text}: {output}" if len(output_names(report)) > 1 else text


def _loss(report: CompareReport, output: str, each: StageOutput) -> float:
    """Return the loss to rank runs by; without a metric the mean absolute error."""
    metric = verdict_metric(report, output, each.output)
    if metric and metric.change and metric.change.loss is not None:
        return metric.change.loss
    distance = each.output.distance
    return distance.mean_abs_error if distance and metric is None else -inf
