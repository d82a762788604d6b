"""The search for the layers in which a quantized model loses accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.config.debug import DebugConfig
from edgepack.config.export import ExportConfig, as_export
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.core.packages import MATPLOTLIB
from edgepack.core.progress import Progress
from edgepack.core.temporary_folders import TemporaryFolder, temporary_folder
from edgepack.devices.scheme_support import require_supported, supporting_targets
from edgepack.devices.target import load_targets, target_file
from edgepack.layer_errors.range_origins import range_origins
from edgepack.layer_errors.result import DebugReport
from edgepack.pipeline.lint import lint_findings
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.calibrate import calibrate, calibrating
from edgepack.pipeline.steps.job import load_model_and_data, new_job, require_data
from edgepack.pipeline.steps.layer_comparer import (
    compare_layers,
    spread_samples,
    start_layer_comparer,
)
from edgepack.pipeline.steps.model_process import model_session, require_loadable
from edgepack.pipeline.steps.split_outputs import split_outputs
from edgepack.pipeline.trials import Trier
from edgepack.pipeline.tried_cures import with_tried_cures
from edgepack.quantization.represented_ranges import cut_range_notes
from edgepack.report.plots.debug_picture import draw_layer_errors
from edgepack.runtimes import LITERT
from edgepack.runtimes.installed import installed_runtimes, runtimes_named, versions_of
from edgepack.runtimes.processes import interpreters
from edgepack.storage import text_files
from edgepack.storage.artifact import describe_all
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import (
    describe_inputs,
    describe_model,
    export_settings,
    model_manifest,
    repeat_notes,
)
from edgepack.tflite.parser import read_tflite

_COMMAND = "debug"


@takes(DebugConfig)
def debug(
    config: DebugConfig, progress: Progress | None = None, *, verbose: bool = False
) -> DebugReport:
    """Quantize a model, compare it with its float model layer by layer, and try what may help.

    Only what ``config.targets`` support is tried, or without any what the default targets do that
    support the scheme. Compares up to
    :data:`~edgepack.pipeline.steps.layer_comparer.MAX_SAMPLES` samples, spread evenly over the test
    data, or else over the representative dataset. Writes ``config.output`` atomically, if it is
    set: both models, debug.json, debug.svg where matplotlib is installed, the files of ranges that
    help, and the manifest. ``verbose`` lets TensorFlow and the interpreters write to standard
    error.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    return debug_repeating(config, {}, progress, verbose=verbose)


def debug_repeating(
    config: DebugConfig,
    repeats: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    verbose: bool = False,
) -> DebugReport:
    """Do what :func:`debug` does; ``repeats`` are as for ``export_repeating``."""
    if config.output is not None:
        return _debug(as_export(config), repeats, progress, verbose=verbose)
    with temporary_folder() as folder:
        settings = as_export(config, output=folder / _COMMAND)
        return _debug(settings, repeats, progress, verbose=verbose)


def _debug(
    config: ExportConfig, repeats: Mapping[str, Any], progress: Progress | None, *, verbose: bool
) -> DebugReport:
    require_loadable(_COMMAND, config.model)
    require_data(config)
    targets = load_targets(config.targets)
    require_supported(config.quantization, targets)
    targets = targets or supporting_targets(config.quantization, DEFAULT_TARGETS)
    names = {LITERT.name, *(name for target in targets for name in target.interpreters)}
    runtimes = installed_runtimes(runtimes_named(names))
    paths = [*config.inputs.values(), *map(target_file, config.targets)]
    with (
        staged_output(config.output, _COMMAND, paths, force=config.force) as folder,
        TemporaryFolder(folder.parent) as work,
        model_session(config.source, work, reads=[folder], verbose=verbose) as session,
        calibrating(config, verbose=verbose) as calibrator,
        start_layer_comparer(verbose=verbose) as service,
        interpreters(runtimes, verbose=verbose) as running,
    ):
        job = new_job(config, folder, work, session, progress, verbose=verbose)
        read_model = describe_model(config.source)
        data = load_model_and_data(job)
        notes = (*data.notes, *(finding.note for finding in lint_findings(job, data)))
        inputs = describe_inputs(config, read_model)
        notes += tuple(repeat_notes(repeats, inputs))
        notes += model_steps.convert(job, data).notes
        data, split_notes = split_outputs(job, data)
        notes += split_notes
        calibration = calibrate(job, data, calibrator, histograms=True)
        notes += calibration.notes if calibration else ()
        model, _ = model_steps.quantize_model(job)
        notes += tuple(cut_range_notes(model, calibration.ranges)) if calibration else ()
        report = compare_layers(
            service,
            # With constants as they are quantized: the fills of others would be all that counts.
            job.calibrated_tflite if calibration else job.float_tflite,
            job.quantized_tflite,
            data.evaluation_data.inputs,
            list(model_steps.named_outputs(data, model)),
            job.work,
            job.progress,
            range_origins(read_tflite(job.calibrated_tflite.read_bytes()).main, calibration)
            if calibration
            else {},
        )
        no_plot = MATPLOTLIB.missing()
        report = replace(
            report,
            model=model_steps.model_name(config),
            data="test" if data.is_tested else "representative",
            notes=(*notes, no_plot) if no_plot else notes,
        )
        trier = Trier(
            job=job,
            data=data,
            calibration=calibration,
            calibrator=calibrator,
            samples=spread_samples(data.evaluation_data.inputs),
            targets=targets,
            running=running,
            runtimes=runtimes,
        )
        report = with_tried_cures(report, trier.trials(model, report))
        text_files.write_json(folder / "debug.json", report.to_dict())
        if not no_plot:
            (folder / "debug.svg").write_bytes(draw_layer_errors(report))
        manifest = model_manifest(
            *(_COMMAND, describe_all(folder), inputs, export_settings(config)),
            versions_of(runtimes),
        )
        manifest.write(folder)
    return report
