"""The validation of a .tflite file of any origin, without TensorFlow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from edgepack.config.budgets import Budgets
from edgepack.config.checked_call import takes
from edgepack.config.project_file import read_project_file
from edgepack.config.validate import RANDOM, ValidateConfig
from edgepack.core.errors import ModelError
from edgepack.core.former_names import former_argument
from edgepack.core.progress import NoProgress, Progress, ignore
from edgepack.core.temporary_folders import temporary_folder
from edgepack.devices.target import Target, load_targets
from edgepack.evaluation.deviation import (
    ReferenceComparison,
    compare_with_reference_kernels,
    find_known_defect,
    why_no_outputs,
)
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.scores import NOT_SCHEMES
from edgepack.pipeline.steps.check import (
    COMMAND,
    gather_evidence,
    judge_targets,
    loss_budgets,
    project_file_budgets,
    require_arena,
    require_drop_limit,
    require_float_model,
    require_measurable,
)
from edgepack.pipeline.steps.collapse_origin import collapsed_outputs, find_collapsed_layer
from edgepack.pipeline.steps.float_notes import float_model_notes
from edgepack.pipeline.steps.run import (
    Workload,
    find_unneeded_runtimes,
    partial_run_notes,
    run_within_budget,
)
from edgepack.pipeline.steps.score import compare_outputs, make_evaluators
from edgepack.pipeline.validation.lineage import as_source, lineage_notes
from edgepack.pipeline.validation.read_inputs import (
    ParsedFile,
    ValidationInputs,
    read_file,
    read_float,
    read_inputs,
    reporting_damage,
)
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.quantization.affine import dequantize
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.report.data.validate import RuntimeValidation, ValidateReport
from edgepack.runtimes import LITERT, REFERENCE, Runtime
from edgepack.runtimes.arm64 import arm64_runtime
from edgepack.runtimes.installed import installed_runtimes, missing_packages, runtimes_named
from edgepack.runtimes.latency import Latency
from edgepack.runtimes.processes import LIMITS, Interpreters, interpreters
from edgepack.storage.arrays import Arrays
from edgepack.tflite.macs import model_macs
from edgepack.workers.client import Limits
from edgepack.workers.process_limits import missing_limits

_FILE, _FLOAT = "file", "float"
_ALONE = "the metric is the file's own: give --float to see what quantization lost"


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A .tflite file to validate, its inputs, and the float model to compare with, if any.

    ``data`` is the kind of the inputs: ``test`` or ``random``.
    """

    file: ParsedFile
    float_file: ParsedFile | None
    inputs: ValidationInputs
    data: str


@former_argument("gate", "config")
@takes(ValidateConfig)
def validate(
    config: ValidateConfig, progress: Progress | None = None, *, verbose: bool = False
) -> ValidateReport:
    """Check a .tflite file against targets, and run it on their interpreters.

    ``verbose`` lets the interpreters write to standard error. Raises an
    :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure; a model's
    failure on a target is a result, not an error.
    """
    progress = progress or NoProgress()
    targets = load_targets(config.targets)
    project_file = read_project_file(config.project_file)
    budgets = {COMMAND: config.budgets} | project_file_budgets(project_file)
    require_drop_limit(budgets, targets)
    file = read_file(config.model)
    float_file = read_float(config, file)
    if float_file is None:
        require_float_model(budgets, targets)
    require_arena(config.budgets, targets)
    runtimes = _runtimes(config, targets)
    with (
        temporary_folder() as work,
        interpreters(runtimes, jobs=config.jobs, limits=config.limits, verbose=verbose) as running,
    ):
        with progress.step("load") as update:
            inputs = read_inputs(
                config, file, project_file, work, update, has_float=float_file is not None
            )
            require_measurable(
                budgets,
                targets,
                inputs.measures.values(),
                is_tested=config.test is not None,
                is_real_data=config.data != RANDOM,
            )
        subject = Subject(file=file, float_file=float_file, inputs=inputs, data=config.data)
        report = examine(
            subject,
            targets,
            running,
            work,
            progress,
            on=runtimes,
            budgets=budgets,
            limits=config.limits,
            verbose=verbose,
        )
    notes = (*report.notes, *_limit_notes(config.limits))
    if float_file is not None:
        notes += tuple(lineage_notes(file, as_source(float_file), lambda: float_file.model))
    return replace(report, notes=notes)


def _limit_notes(limits: Limits) -> Iterator[str]:
    """Yield a note if limits were set that this system does not have."""
    if limits != LIMITS and (why := missing_limits()):
        yield why


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
    verbose: bool = False,
) -> ValidateReport:
    """Run a file ``on`` interpreters, and judge the results for the targets.

    Arrays go to the folder ``work``, which must be empty. ``budgets`` are keyed by their source,
    for messages; ``limits`` apply to Vela.
    """
    file, float_file, inputs = subject.file, subject.float_file, subject.inputs
    with reporting_damage(file.path):
        idle = find_unneeded_runtimes(on, targets, file.model, len(file.data), budgets)
    workload = Workload(
        path=file.path,
        model=file.model,
        inputs=inputs.encoded,
        outputs=file.outputs,
        labels=inputs.labels,
    )
    with progress.step("run") as update:
        runs = run_within_budget(running, workload, on, work, update, idle)
        contradictions = find_contradictions(running, workload, runs.get(REFERENCE.name), work)
    with progress.step("compare"), reporting_damage(file.path):
        real = _run_float(float_file, file, inputs, running, work) if float_file else None
        validation = compare_with_reference_kernels(
            runs, file.tensors, real, find_known_defect(file.model)
        )
        comparison = None
        if real is not None:
            comparison = compare_outputs(
                validation,
                file.model,
                make_evaluators(real, inputs.measures),
                inputs.measures,
                scheme=_scheme(file.path),
                data=subject.data,
                samples=len(inputs),
            )
    origin = None
    if float_file is not None and collapsed_outputs(comparison):
        origin = find_collapsed_layer(
            float_file.path, file.path, inputs.real, work, progress, verbose=verbose
        )
    with progress.step("time"):
        working = [each for each in on if runs[each.name].failure is None and each not in idle]
        latencies = _time(running, working, file, float_file, inputs, work)
    ratios = {
        name: each[_FILE].median_ms / each[_FLOAT].median_ms
        for name, each in latencies.items()
        if each.keys() >= {_FILE, _FLOAT}
    }
    with reporting_damage(file.path):
        evidence = gather_evidence(
            file.model,
            file.data,
            targets,
            validation,
            comparison,
            budgets,
            ratios,
            limits,
            contradictions,
            origin,
        )
        target_reports = judge_targets(targets, evidence)
    return ValidateReport(
        model=file.path.name,
        artifact=file.artifact,
        data=subject.data,
        samples=len(inputs),
        comparison=comparison,
        runtimes=_reports(validation, latencies, ratios, _values(subject, real, validation)),
        targets=target_reports,
        budgets=loss_budgets(budgets, targets),
        metrics={name: each.metric.name for name, each in inputs.measures.items()}
        if real is None
        else {},
        notes=(
            *inputs.notes,
            *([_ALONE] if real is None and inputs.measures else []),
            *_model_notes(subject, real, validation),
            *_unchecked(targets),
            *partial_run_notes(runs, workload, idle),
            *validation.notes,
        ),
    )


def _model_notes(
    subject: Subject, real: Arrays | None, validation: ReferenceComparison
) -> Iterator[str]:
    """Yield what is wrong with the float model, or else with the file, and with the data.

    ``real`` are the float model's outputs, if there is one.
    """
    measures = subject.inputs.measures
    if subject.data == RANDOM:
        return
    if real is not None:
        yield from float_model_notes(real, measures)
        return
    complete = (
        run.outputs
        for run in validation.runs.values()
        if run.outputs is not None and run.mask is None
    )
    for outputs in islice(complete, 1):
        tensors = {name: subject.file.tensors[name] for name in measures}
        of_file = {name: dequantize(outputs[name], tensors[name]) for name in tensors}
        yield from float_model_notes(of_file, measures, model="the model")


def _values(
    subject: Subject, real: Arrays | None, validation: ReferenceComparison
) -> dict[str, dict[str, float | None]]:
    """Return the metric of each output by interpreter, where there is no float model."""
    values: dict[str, dict[str, float | None]] = {}
    if real is not None:
        return values
    for output, measure in subject.inputs.measures.items():
        tensor = subject.file.tensors[output]
        for name, run in validation.runs.items():
            if run.outputs is not None:
                evaluator = Evaluator(dequantize(run.outputs[output], tensor), [measure])
                values.setdefault(name, {})[output] = evaluator.value(
                    run.outputs[output], tensor, run.mask
                )
    return values


def _unchecked(targets: Sequence[Target]) -> list[str]:
    """Return notes that TFLM's bit-exactness is unchecked, where reference kernels are missing."""
    uses_tflm = any("tflm" in target.interpreters for target in targets)
    reasons = missing_packages([REFERENCE]) if uses_tflm else ()
    return [f"whether tflm is bit-exact was not checked: {each}" for each in reasons]


def _runtimes(config: ValidateConfig, targets: Sequence[Target]) -> list[Runtime]:
    """Return the installed interpreters of the targets, the reference kernels, and any emulated."""
    emulated = [arm64_runtime(config.arm64)] if config.arm64 else []
    return runtimes_for(targets) + emulated


def runtimes_for(targets: Sequence[Target]) -> list[Runtime]:
    """Return the installed interpreters of targets, and the reference kernels if installed."""
    names = {name for target in targets for name in target.interpreters}
    return installed_runtimes([REFERENCE, *runtimes_named(names)])


def _run_float(
    float_file: ParsedFile,
    file: ParsedFile,
    inputs: ValidationInputs,
    running: Interpreters,
    work: Path,
) -> Arrays:
    """Run the float model on LiteRT; returns real outputs (samples, ...) by the file's names.

    Converters choose output names freely, so the outputs of the two models are matched by order.
    Raises :class:`ModelError` if LiteRT cannot run it.
    """
    folder = work / _FLOAT
    folder.mkdir()
    run = running.run(
        model=float_file.path,
        inputs=quantize_inputs(inputs.real, float_file.model.main.input_tensors, folder),
        outputs=float_file.outputs,
        work=folder,
        update=ignore,
        on=[LITERT],
        macs=model_macs(float_file.model),
    )[LITERT.name]
    if run.outputs is None:
        why = why_no_outputs(run)
        raise ModelError(f"{float_file.path}: nothing can be compared with it on LiteRT: {why}")
    return {
        name: dequantize(run.outputs[float_name], tensor)
        for name, (float_name, tensor) in zip(file.outputs, float_file.tensors.items(), strict=True)
    }


def _time(
    running: Interpreters,
    ran: Collection[Runtime],
    file: ParsedFile,
    float_file: ParsedFile | None,
    inputs: ValidationInputs,
    work: Path,
) -> dict[str, dict[str, Latency]]:
    """Time the file, alternating with its float model if there is one; by interpreter name.

    ``ran`` are the interpreters that ran the file.
    """
    timed = {_FILE: file, _FLOAT: float_file} if float_file else {_FILE: file}
    encoded = {_FILE: inputs.encoded, _FLOAT: inputs.real}
    return running.latencies(
        models={name: each.path for name, each in timed.items() if each},
        inputs={name: encoded[name] for name in timed},
        work=work,
        on=ran,
    )


def _scheme(path: Path) -> str:
    """Return the file's stem as its scheme, or its full name if the stem is a reserved word."""
    return path.name if path.stem in NOT_SCHEMES else path.stem


def _reports(
    validation: ReferenceComparison,
    latencies: dict[str, dict[str, Latency]],
    ratios: dict[str, float],
    values: Mapping[str, dict[str, float | None]],
) -> dict[str, RuntimeValidation]:
    return {
        name: RuntimeValidation(
            version=run.version,
            failure=run.failure,
            deviations=validation.deviations.get(name, {}),
            latency=latencies.get(name, {}).get(_FILE),
            latency_ratio=ratios.get(name),
            peak_memory_bytes=run.peak_memory_bytes,
            values=values.get(name, {}),
            sampled=None if run.outputs is None else run.samples,
        )
        for name, run in validation.runs.items()
    }
