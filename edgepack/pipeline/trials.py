"""Trials of what may lower the error of a quantized model: each is quantized and run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgepack.calibration.activations.calibrator import Calibrator
from edgepack.calibration.activations.instrument import activation_names, find_activations
from edgepack.calibration.activations.ranges import (
    Calibration,
    Range,
    choose_ranges,
    load_ranges,
    save_ranges,
    write_ranges,
)
from edgepack.calibration.activations.scale_limits import usable_ranges
from edgepack.calibration.activations.shared_scale import sharing_groups
from edgepack.checks import rules_out
from edgepack.checks.evidence import Evidence
from edgepack.config.export import ExportConfig
from edgepack.core.errors import EdgepackError
from edgepack.core.progress import NoProgress, ignore
from edgepack.devices.scheme_support import why_refused
from edgepack.devices.target import Target
from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.paired_outputs import Array
from edgepack.layer_errors.remedies import SPLIT_OUTPUTS, Remedy, remedies
from edgepack.layer_errors.result import (
    DebugReport,
    Trial,
    Trials,
)
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.calibrate import calibrate
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.run import Workload, run_within_budget
from edgepack.pipeline.trial_scores import (
    TrialJudge,
    TrialOutcome,
    is_helpful,
    judged_views,
    trial_rank,
)
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes import Runtime
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run
from edgepack.runtimes.sample_budget import affordable_samples
from edgepack.storage.arrays import Arrays, array_paths, load_arrays
from edgepack.tflite.graph import Graph, Model
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.macs import model_macs
from edgepack.tflite.output_parts import OutputLayout, output_layouts
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.split_outputs import SplitOutputs, split_outputs

MAX_TRIALS = 16

_MIN_TRIALS = 4
_MAX_MACS = 1e12
"""The multiply-accumulates of all trials: about a minute on each interpreter of a phone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trier:
    """Tries remedies for a quantized model on a few ``samples``, arrays (samples, ...).

    ``calibration`` is that of the job; None if its scheme needs none. ``calibrator`` calibrates a
    model with other outputs. Only what all ``targets``
    support is tried. ``running`` are processes of the ``runtimes``; those that would take long only
    load the models.
    """

    job: Job
    data: JobData
    calibration: Calibration | None
    calibrator: Calibrator | None
    samples: Arrays
    targets: Sequence[Target]
    running: Interpreters
    runtimes: Sequence[Runtime]

    def trials(self, model: Model, report: DebugReport) -> Trials | None:
        """Try what may help the worst layers, and the channels that share a scale with others.

        ``model`` is the quantized one without changes, ``report`` is on it. If channels are lost or
        coarse, every change is judged by the part of an output that it is worst for. Returns None
        if there is nothing to try, or if no interpreter runs the model.
        """
        layouts = dict(zip(self._output_names, output_layouts(model.main), strict=True))
        split = self._split(layouts, report.channels)
        possible = [
            *([_split_remedy(self.job.config)] if split else []),
            *remedies(report.layers, self.job.config),
        ]
        possible = [each for each in possible if self._is_possible(each)]
        if not possible:
            return None
        with self.job.progress.step("try") as update:
            update(0, len(possible))
            baseline = self._run(self.job.quantized_tflite, model, self._folder("before"))
            able = [each for each in self.runtimes if baseline[each.name].failure is None]
            ran = [each.name for each in able if baseline[each.name].outputs]
            if not ran:
                return None
            views = judged_views(layouts, split, report.channels)
            judge = TrialJudge(views, self._predict())
            before = judge.outcome(model, baseline)
            chosen = possible[: self._affordable_trials(model)]
            trials = []
            for number, remedy in enumerate(chosen):
                update(number, len(chosen), remedy.options)
                trials.append(self._try(remedy, number, able, judge, before, split))
        return Trials(
            before=before.score,
            interpreters=tuple(ran),
            tried=tuple(sorted(trials, key=trial_rank)),
            untried=len(possible) - len(chosen),
            is_by_part=judge.is_by_part,
        )

    @property
    def _output_names(self) -> list[str]:
        return [output.name for output in self.data.signature.outputs]

    def _split(
        self, layouts: Mapping[str, OutputLayout], channels: Mapping[str, Sequence[ChannelGroup]]
    ) -> SplitOutputs | None:
        """Return the float model with split outputs, if that divides one with such channels."""
        if self.job.config.split_outputs or self.job.config.ranges:
            return None
        if not any(
            channels.get(name) and not each.pieces.obstacle for name, each in layouts.items()
        ):
            return None
        split = split_outputs(self.job.float_tflite.read_bytes(), self._output_names)
        return split if len(split.outputs) > len(self._output_names) else None

    def _is_possible(self, remedy: Remedy) -> bool:
        """Whether all targets support a remedy, and what it needs is known."""
        config = remedy.config
        if any(why_refused(config.quantization, target) for target in self.targets):
            return False
        needs_statistics = config.observer != self.job.config.observer and not remedy.own_range
        return not needs_statistics or bool(self.calibration and self.calibration.observed)

    def _affordable_trials(self, model: Model) -> int:
        macs = model_macs(model) * len(next(iter(self.samples.values())))
        return max(_MIN_TRIALS, min(MAX_TRIALS, int(_MAX_MACS / max(macs, 1))))

    def _try(
        self,
        remedy: Remedy,
        number: int,
        runtimes: Sequence[Runtime],
        judge: TrialJudge,
        before: TrialOutcome,
        split: SplitOutputs | None,
    ) -> Trial:
        folder = self._folder(f"trial-{number}")
        job = replace(
            self.job, config=remedy.config, folder=folder, work=folder, progress=NoProgress()
        )
        after, failure, options = None, None, remedy.options
        ranges = self.job.folder / f"ranges-{number}.json" if remedy.own_range else None
        if ranges:
            options = f"{options} {ranges.name}"
        try:
            if split and remedy.config.split_outputs:
                job.float_tflite.write_bytes(split.tflite)
                calibrate(job, self.data, self.calibrator)
            else:
                shutil.copyfile(self.job.float_tflite, job.float_tflite)
                self._write_ranges(remedy, job, ranges)
            model, _ = model_steps.quantize_model(job)
            failure = self._refusal(job.quantized_tflite, model)
            runs = {} if failure else self._run(job.quantized_tflite, model, folder, runtimes)
            failure = failure or next((run.failure for run in runs.values() if run.failure), None)
            after = None if failure else judge.outcome(model, runs)
        except EdgepackError as error:
            failure = str(error)
        helps = after is not None and is_helpful(before, after)
        if ranges and not helps:
            ranges.unlink(missing_ok=True)
        return Trial(
            options=options,
            ranges_file=ranges.name if ranges else None,
            layers=remedy.layers,
            after=after.score if after else None,
            failure=failure,
            helps=helps,
        )

    def _refusal(self, path: Path, model: Model) -> str | None:
        """Return which target fails a check of the file that it passed before; None if none."""
        before = self.job.quantized_tflite
        for target in self.targets:
            if self._is_ruled_out(target, path, model) and not self._is_ruled_out(
                target, before, read_tflite(before.read_bytes())
            ):
                return f"{target.name} does not run it"
        return None

    def _is_ruled_out(self, target: Target, path: Path, model: Model) -> bool:
        size = path.stat().st_size
        evidence = Evidence(model=model, model_bytes=size, budgets=self.data.budgets)
        return rules_out(target, evidence)

    def _write_ranges(self, remedy: Remedy, job: Job, path: Path | None) -> None:
        """Write the ranges of a remedy into the float model, and into a file that it needs."""
        if self.calibration is None or not job.config.quantization.needs_ranges:
            return
        ranges, observed = self.calibration.ranges, self.calibration.observed
        if path and remedy.own_range:
            own = Range(min=remedy.own_range[0], max=remedy.own_range[1])
            names = _names_that_share_a_scale(self._graph, remedy.layers[0])
            ranges = {**ranges, **dict.fromkeys(names, own)}
            save_ranges(path, ranges, None, None, self.calibration.constants)
            ranges = load_ranges(path, self._graph)
        elif observed and job.config.observer != self.job.config.observer:
            ranges = choose_ranges(self._graph, observed, job.config.observer)
        calibrated = self.job.calibrated_tflite.read_bytes()  # with clipped constants
        usable = usable_ranges(read_tflite(calibrated).main, ranges)
        job.calibrated_tflite.write_bytes(write_ranges(calibrated, usable))

    def _run(
        self,
        path: Path,
        model: Model,
        folder: Path,
        runtimes: Sequence[Runtime] | None = None,
    ) -> dict[str, Run]:
        """Run a model on the samples; interpreters that would take long only load it."""
        on = self.runtimes if runtimes is None else runtimes
        workload = Workload(
            path=path,
            model=model,
            inputs=quantize_inputs(self.samples, model.main.input_tensors, folder),
            outputs=[str(place) for place, _ in enumerate(model.main.outputs)],
        )
        limits = {each: affordable_samples([each], model_macs(model)) for each in on}
        needed = _MIN_TRIALS * len(workload)
        idle = [each for each, limit in limits.items() if limit and limit < needed]
        return run_within_budget(self.running, workload, on, folder, ignore, idle)

    def _folder(self, name: str) -> Path:
        folder = self.job.work / name
        folder.mkdir()
        return folder

    @cached_property
    def _graph(self) -> Graph:
        return read_tflite(self.job.float_tflite.read_bytes()).main

    def _predict(self) -> list[Array]:
        """Return the float model's outputs of the samples, in their order."""
        stem = self.job.session_folder / "tried"
        inputs = self.job.save("tried", self.samples)
        self.job.session.call("predict", inputs=inputs, outputs=str(stem))
        return list(load_arrays(array_paths(stem, self._output_names)).values())


def _split_remedy(config: ExportConfig) -> Remedy:
    return Remedy(options=SPLIT_OUTPUTS, config=replace(config, split_outputs=True))


def _names_that_share_a_scale(graph: Graph, layer: str) -> list[str]:
    """Return the names of the activations that have one range with a layer's, its own included."""
    index = next(index for index, name in layer_names(graph).items() if name == layer)
    group = next((each for each in sharing_groups(graph) if index in each), {index})
    names = activation_names(graph, find_activations(graph))
    return [name for name, index in names.items() if index in group]
