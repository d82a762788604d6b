"""Validation of a .tflite file, whoever made it, without TensorFlow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgepack.config.budgets import Budgets
from edgepack.config.project_file import read_project_file
from edgepack.config.validate import ValidateConfig
from edgepack.core.errors import ModelError
from edgepack.core.progress import Progress, Silent, ignore
from edgepack.core.temporary_folders import temporary
from edgepack.devices.target import Target, load_targets
from edgepack.evaluation.deviation import (
    ReferenceComparison,
    compare_with_reference_kernels,
    known_defect,
    why_no_outputs,
)
from edgepack.evaluation.scores import NOT_SCHEMES
from edgepack.pipeline.steps.check import (
    budgets_of,
    gather,
    judge_all,
    require_arena,
    require_float_model,
    require_measurable,
)
from edgepack.pipeline.steps.run import Workload, left_out, not_needed, run_within_budget
from edgepack.pipeline.steps.score import compare_outputs, evaluators
from edgepack.pipeline.validation.read_inputs import (
    Inputs,
    ValidatedFile,
    making_sense_of,
    read_file,
    read_float,
    read_inputs,
)
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.quantization.affine import dequantize
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.report.data.validation import RuntimeValidation, ValidationReport
from edgepack.runtimes import LITERT, REFERENCE, Runtime
from edgepack.runtimes.arm64 import arm64_runtime
from edgepack.runtimes.installed import installed, missing, runtimes_named
from edgepack.runtimes.latency import Latency
from edgepack.runtimes.processes import LIMITS, Interpreters, interpreters
from edgepack.storage.arrays import Arrays
from edgepack.tflite.macs import model_macs
from edgepack.workers.client import Limits

_FILE, _FLOAT = "file", "float"


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A .tflite file, the float model that it is held against if there is one, and their inputs.

    ``data`` tells what these are: ``test`` data, or ``random``.
    """

    file: ValidatedFile
    floating: ValidatedFile | None
    inputs: Inputs
    data: str


def validate(
    gate: ValidateConfig, progress: Progress | None = None, *, verbose: bool = False
) -> ValidationReport:
    """Hold a .tflite file against targets, and run it on their interpreters.

    ``verbose`` lets the interpreters write to standard error. Raises an
    :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure; that a model
    fails on a target is a result.
    """
    progress = progress or Silent()
    targets = load_targets(gate.targets)
    project_file = read_project_file(gate.project_file)
    budgets = {"the command": gate.budgets} | budgets_of(project_file)
    file = read_file(gate.model)
    floating = read_float(gate, file)
    if floating is None:
        require_float_model(budgets, targets)
    require_arena(gate.budgets, targets)
    runtimes = _runtimes(gate, targets)
    with (
        temporary() as work,
        interpreters(runtimes, jobs=gate.jobs, limits=gate.limits, verbose=verbose) as running,
    ):
        with progress.step("load") as update:
            inputs = read_inputs(
                gate, file, project_file, work, update, has_float=floating is not None
            )
            require_measurable(budgets, targets, measured=bool(inputs.measures))
        subject = Subject(file=file, floating=floating, inputs=inputs, data=gate.data)
        return examine(
            subject,
            targets,
            running,
            work,
            progress,
            on=runtimes,
            budgets=budgets,
            limits=gate.limits,
        )


def examine(
    subject: Subject,
    targets: Sequence[Target],
    running: Interpreters,
    work: Path,
    progress: Progress,
    *,
    on: Sequence[Runtime],
    budgets: Mapping[str, Budgets],
    limits: Limits = LIMITS,
) -> ValidationReport:
    """Run a file ``on`` interpreters, and hold what they show against targets.

    Arrays go to the folder ``work``, which is the subject's own; ``limits`` are those of Vela.
    """
    file, floating, inputs = subject.file, subject.floating, subject.inputs
    with making_sense_of(file.path):
        idle = not_needed(on, targets, file.model, len(file.data), budgets)
    workload = Workload(
        path=file.path,
        model=file.model,
        inputs=inputs.taken,
        outputs=file.outputs,
        labels=inputs.labels,
    )
    with progress.step("run") as update:
        runs = run_within_budget(running, workload, on, work, update, idle)
        found = find_contradictions(running, workload, runs.get(REFERENCE.name), work)
    with progress.step("compare"), making_sense_of(file.path):
        real = _run_float(floating, file, inputs, running, work) if floating else None
        validation = compare_with_reference_kernels(
            runs, file.tensors, real, known_defect(file.model)
        )
        comparison = None
        if real is not None:
            comparison = compare_outputs(
                validation,
                file.tensors,
                evaluators(real, inputs.measures),
                inputs.measures,
                scheme=_scheme(file.path),
                data=subject.data,
                samples=len(inputs),
            )
    with progress.step("time"):
        ran = [each for each in on if runs[each.name].failure is None and each not in idle]
        latencies = _time(running, ran, file, floating, inputs, work)
    ratios = {
        name: each[_FILE].median_ms / each[_FLOAT].median_ms
        for name, each in latencies.items()
        if each.keys() >= {_FILE, _FLOAT}
    }
    with making_sense_of(file.path):
        evidence = gather(
            file.model,
            file.data,
            targets,
            validation,
            comparison,
            budgets,
            ratios,
            limits,
            found,
        )
        judged = judge_all(targets, evidence)
    return ValidationReport(
        model=file.path.name,
        artifact=file.artifact,
        data=subject.data,
        samples=len(inputs),
        comparison=comparison,
        runtimes=_reports(validation, latencies, ratios),
        targets=judged,
        notes=(*_unchecked(targets), *left_out(runs, workload, idle), *validation.notes),
    )


def _unchecked(targets: Sequence[Target]) -> list[str]:
    """Say that nothing shows whether TFLM is bit-exact, where the reference kernels are missing."""
    is_wanted = any("tflm" in target.interpreters for target in targets)
    why = missing([REFERENCE]) if is_wanted else ()
    return [f"whether tflm is bit-exact was not checked: {each}" for each in why]


def _runtimes(gate: ValidateConfig, targets: Sequence[Target]) -> list[Runtime]:
    """Find the interpreters of the targets that are to be had here, and the reference kernels."""
    emulated = [arm64_runtime(gate.arm64)] if gate.arm64 else []
    return runtimes_here(targets) + emulated


def runtimes_here(targets: Sequence[Target]) -> list[Runtime]:
    """Find the installed interpreters of targets, and the reference kernels."""
    names = {name for target in targets for name in target.interpreters}
    return installed([REFERENCE, *runtimes_named(names)])


def _run_float(
    floating: ValidatedFile, file: ValidatedFile, inputs: Inputs, running: Interpreters, work: Path
) -> Arrays:
    """Run the float model on LiteRT; returns its outputs, in real values, by the file's names.

    Converters name outputs as they like: those of the two models are matched by their order.
    """
    folder = work / _FLOAT
    folder.mkdir()
    run = running.run(
        model=floating.path,
        inputs=quantize_inputs(inputs.real, floating.model.main.input_tensors, folder),
        outputs=floating.outputs,
        work=folder,
        update=ignore,
        on=[LITERT],
        macs=model_macs(floating.model),
    )[LITERT.name]
    if run.outputs is None:
        why = why_no_outputs(run)
        raise ModelError(f"{floating.path}: nothing can be compared with it on LiteRT: {why}")
    return {
        name: dequantize(run.outputs[own], tensor)
        for name, (own, tensor) in zip(file.outputs, floating.tensors.items(), strict=True)
    }


def _time(
    running: Interpreters,
    ran: Collection[Runtime],
    file: ValidatedFile,
    floating: ValidatedFile | None,
    inputs: Inputs,
    work: Path,
) -> dict[str, dict[str, Latency]]:
    """Time the file, in turn with its float model if there is one, by interpreter that ran it."""
    timed = {_FILE: file, _FLOAT: floating} if floating else {_FILE: file}
    taken = {_FILE: inputs.taken, _FLOAT: inputs.real}
    return running.latencies(
        models={name: each.path for name, each in timed.items() if each},
        inputs={name: taken[name] for name in timed},
        work=work,
        on=ran,
    )


def _scheme(path: Path) -> str:
    """Name what the file was quantized to by the file, unless the report means another by that."""
    return path.name if path.stem in NOT_SCHEMES else path.stem


def _reports(
    validation: ReferenceComparison,
    latencies: dict[str, dict[str, Latency]],
    ratios: dict[str, float],
) -> dict[str, RuntimeValidation]:
    return {
        name: RuntimeValidation(
            version=run.version,
            failure=run.failure,
            deviations=validation.deviations.get(name, {}),
            latency=latencies.get(name, {}).get(_FILE),
            latency_ratio=ratios.get(name),
            peak_memory_bytes=run.peak_memory_bytes,
        )
        for name, run in validation.runs.items()
    }
