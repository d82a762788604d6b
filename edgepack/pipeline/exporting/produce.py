"""The common pipeline of ``export`` and ``quantize``, from settings to an output folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgepack.compression.pruning.settings import Prune
from edgepack.compression.training.checkpoint import (
    checkpoint_files,
    checkpoint_folder,
    remove_checkpoints,
    require_no_checkpoints,
)
from edgepack.config.compression_step import MULTI_WORKER
from edgepack.config.export import ExportConfig
from edgepack.config.project_file import read_project_file
from edgepack.core.codec import restore
from edgepack.core.progress import Progress
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.devices.scheme_support import require_supported
from edgepack.devices.target import Target, target_file
from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.deviation import (
    ReferenceComparison,
    compare_with_reference_kernels,
    find_known_defect,
)
from edgepack.evaluation.scores import Comparison
from edgepack.pipeline.lint import lint_findings
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.calibrate import calibrate, calibrating, calibration_report
from edgepack.pipeline.steps.check import (
    COMMAND,
    gather_evidence,
    judge_targets,
    loss_budgets,
    project_file_budgets,
    require_drop_limit,
    require_measurable,
    unmeasured_budget_notes,
)
from edgepack.pipeline.steps.collapse_origin import (
    collapsed_outputs,
    collapsed_stage,
    find_collapsed_layer,
)
from edgepack.pipeline.steps.compress import compress, require_techniques, stage_names, step_reports
from edgepack.pipeline.steps.float_notes import LABEL_ORDER, float_model_notes
from edgepack.pipeline.steps.job import (
    Job,
    JobData,
    find_runtimes,
    load_model_and_data,
    new_job,
    require_data,
)
from edgepack.pipeline.steps.model_process import model_session, require_loadable
from edgepack.pipeline.steps.run import find_unneeded_runtimes, partial_run_notes, run_within_budget
from edgepack.pipeline.steps.score import make_evaluators
from edgepack.pipeline.steps.size_notes import size_notes
from edgepack.pipeline.steps.split_outputs import split_outputs
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.quantization.represented_ranges import cut_range_notes
from edgepack.report.data.compression import StepReport, last_step_of
from edgepack.report.data.export import ExportReport, RuntimeReport, SparsityReport
from edgepack.report.document.write import write_page
from edgepack.report.pages.export import export_document
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.installed import versions_of
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.run_result import Run
from edgepack.storage import text_files
from edgepack.storage.artifact import describe_all
from edgepack.storage.manifest import Manifest
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import (
    describe_inputs,
    describe_model,
    export_settings,
    model_manifest,
    repeat_notes,
)
from edgepack.tflite.graph import Model
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.sparsity import Sparsity, weight_sparsity


def produce(
    command: str,
    config: ExportConfig,
    targets: Sequence[Target],
    runtimes: Sequence[str],
    progress: Progress | None,
    *,
    firmware: bool,
    notes: Iterable[str] = (),
    repeats: Mapping[str, Any],
    verbose: bool,
) -> ExportReport:
    """Compress and split outputs if asked to, quantize, run, compare and judge; write the folder.

    ``command`` is the name of the command; ``firmware`` adds the model as C; ``notes`` go
    into the report; ``repeats`` are the inputs of the export that is repeated, if any. Raises an
    :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure, such as a
    ``ConfigError`` without the data that the scheme needs.
    """
    _require_possible(command, config, targets, firmware=firmware)
    installed, missing = find_runtimes(runtimes, config.quantization)
    notes = (*notes, *missing)
    paths = [*config.inputs.values(), *map(target_file, config.targets)]
    checkpoints = checkpoint_files(config.checkpoints, len(config.fine_tunings))
    paths += checkpoints
    if not config.resume:
        require_no_checkpoints(checkpoints)
    with (
        staged_output(config.output, command, paths, force=config.force) as folder,
        # On the same disk as the output, so that a message about a full disk names the right one.
        TemporaryFolder(folder.parent) as work,
        checkpoint_folder(config.checkpoints),
        model_session(
            config.source,
            work,
            reads=[folder],
            writes=[config.checkpoints] if config.checkpoints else [],
            verbose=verbose,
            connects=config.strategy == MULTI_WORKER,
        ) as session,
        interpreters(installed, verbose=verbose) as running,
        calibrating(config, verbose=verbose) as calibrator,
    ):
        job = new_job(config, folder, work, session, progress, verbose=verbose)
        read_model = describe_model(config.source)
        data = load_model_and_data(job)
        budgets = {COMMAND: config.budgets} | data.budgets
        require_measurable(budgets, targets, data.measures.values(), is_tested=data.is_tested)
        notes += (*data.notes, *unmeasured_budget_notes(budgets, targets))
        lint = lint_findings(job, data)
        inputs = describe_inputs(config, read_model)
        notes += tuple(repeat_notes(repeats, inputs))
        steps = compress(job, data, inputs)
        converted = model_steps.convert(job, data)
        data, split_notes = split_outputs(job, data)
        notes += split_notes
        calibration = calibrate(job, data, calibrator)
        notes += calibration.notes if calibration else ()
        model, quantization = model_steps.quantize_model(job)
        notes += tuple(cut_range_notes(model, calibration.ranges)) if calibration else ()
        notes += (*converted.notes, *size_notes(job, model, is_unrolled=converted.is_unrolled))
        if firmware:
            model_steps.emit_c(job)
        predictions = model_steps.start_predictions(job, data, stage_names(config))
        workload = model_steps.quantized_workload(job, data, model)
        size = job.quantized_tflite.stat().st_size
        idle = find_unneeded_runtimes(installed, targets, model, size, budgets)
        with job.progress.step("validate") as update:
            runs = _repeatable(run_within_budget(running, workload, installed, work, update, idle))
            contradictions = find_contradictions(running, workload, runs.get(REFERENCE.name), work)
        outputs = model_steps.collect_predictions(job, data, predictions)
        validation = compare_with_reference_kernels(
            runs, model_steps.named_outputs(data, model), outputs["float"], find_known_defect(model)
        )
        notes += tuple(
            float_model_notes(
                outputs["float"],
                data.measures,
                data.evaluation_data.classes,
                is_order_known=any(finding.rule == LABEL_ORDER for finding in lint),
            )
        )
        scorers = make_evaluators(outputs["float"], data.measures, data.evaluation_data.classes)
        compression = step_reports(steps, scorers, outputs)
        pruned = last_step_of(compression, Prune.technique)
        compressed = outputs[compression[-1].stage] if compression else None
        comparison = model_steps.compare_with_float(
            job, data, model, validation, scorers, pruned, compressed
        )
        evidence = gather_evidence(
            model,
            job.quantized_tflite.read_bytes(),
            targets,
            validation,
            comparison,
            budgets,
            contradictions=contradictions,
            origin=_collapse_origin(job, data, compression, comparison),
        )
        report = ExportReport(
            model=model_steps.model_name(config),
            float_runtime=data.runtime,
            artifacts=describe_all(folder),
            quantization=quantization,
            comparison=comparison,
            compression=compression,
            calibration=calibration_report(config, calibration, model),
            runtimes=_runtime_reports(validation),
            sparsity=_sparsity(job, model),
            targets=judge_targets(targets, evidence),
            budgets=loss_budgets(budgets, targets),
            lint=lint,
            notes=(*notes, *partial_run_notes(runs, workload, idle), *validation.notes),
        )
        manifest = model_manifest(
            *(command, report.artifacts, inputs, export_settings(config)), versions_of(installed)
        )
        _write_report(folder, report, manifest)
    remove_checkpoints(checkpoints)
    return report


def _write_report(folder: Path, report: ExportReport, manifest: Manifest) -> None:
    """Write the report as JSON and as a page, then the manifest, which lists them, too."""
    text_files.write_json(folder / "report.json", report.to_dict())
    write_page(folder, export_document(report, manifest))
    replace(manifest, artifacts=describe_all(folder)).write(folder)


def _require_possible(
    command: str, config: ExportConfig, targets: Sequence[Target], *, firmware: bool
) -> None:
    """Raise for what the settings ask for and cannot have, before the work."""
    require_loadable(command, config.model)
    if firmware:
        model_steps.c_name(config)
    require_data(config)
    require_techniques(config)
    require_supported(config.quantization, targets)
    project_file = read_project_file(config.project_file)
    require_drop_limit({COMMAND: config.budgets} | project_file_budgets(project_file), targets)


def _collapse_origin(
    job: Job, data: JobData, compression: Sequence[StepReport], comparison: Comparison
) -> CollapseOrigin | None:
    """Return the compression step or the layer in which the outputs collapse, if they do."""
    outputs = collapsed_outputs(comparison)
    origin = collapsed_stage(compression, outputs)
    if origin is not None or not outputs:
        return origin
    return find_collapsed_layer(
        job.float_tflite,
        job.quantized_tflite,
        data.evaluation_data.inputs,
        job.work,
        job.progress,
        verbose=job.verbose,
    )


def _repeatable(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Remove peak memory, which varies from run to run, so reports are reproducible.

    ``validate`` reports it.
    """
    return {name: replace(run, peak_memory_bytes=None) for name, run in runs.items()}


def _sparsity(job: Job, model: Model) -> SparsityReport:
    """Measure the zeros in the float model's layers, or else its file, and in the quantized one."""
    layers = job.session.call("sparsity")
    return SparsityReport(
        float=restore(Sparsity, layers)
        if layers and layers["layers"]
        else weight_sparsity(read_tflite(job.float_tflite.read_bytes())),
        quantized=weight_sparsity(model),
    )


def _runtime_reports(validation: ReferenceComparison) -> dict[str, RuntimeReport]:
    return {
        name: RuntimeReport(
            version=run.version,
            deviations=validation.deviations.get(name, {}),
            arena_bytes=run.arena_bytes,
            failure=run.failure,
        )
        for name, run in validation.runs.items()
    }
