"""The study of simulated fixed-point weights: accuracy by bit width and rounding mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.config.export import as_export
from edgepack.config.study import StudyConfig
from edgepack.core.errors import ConversionError
from edgepack.core.progress import Progress, ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.evaluation.deviation import why_no_outputs
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.job import Job, JobData, load_model_and_data, new_job
from edgepack.pipeline.steps.model_process import model_session, require_loadable
from edgepack.pipeline.steps.score import make_evaluators
from edgepack.quantization.fixed_point import round_weights
from edgepack.report.data.study import Simulated, StudyReport
from edgepack.runtimes import LITERT
from edgepack.runtimes.installed import versions_of
from edgepack.runtimes.processes import Interpreters, interpreters
from edgepack.storage import text_files
from edgepack.storage.arrays import Arrays
from edgepack.storage.artifact import describe_all
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import (
    describe_inputs,
    describe_model,
    loading_settings,
    model_manifest,
)

_COMMAND = "study"


@takes(StudyConfig)
def study(
    config: StudyConfig,
    progress: Progress | None = None,
    *,
    verbose: bool = False,
) -> StudyReport:
    """Round the float model's weights to few bits, and run it on the test data on LiteRT.

    Writes the float model, study.json and the manifest.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    require_loadable(_COMMAND, config.model)
    settings = as_export(config)
    with (
        staged_output(
            config.output, _COMMAND, settings.inputs.values(), force=config.force
        ) as folder,
        TemporaryFolder(folder.parent) as work,
        model_session(config.source, work, reads=[folder], verbose=verbose) as session,
        interpreters([LITERT], verbose=verbose) as running,
    ):
        job = new_job(settings, folder, work, session, progress)
        read_model = describe_model(config.source)
        data = load_model_and_data(job)
        inputs = describe_inputs(settings, read_model)
        model_steps.convert(job, data)
        report = _study(job, data, config, running)
        text_files.write_json(folder / "study.json", report.to_dict())
        manifest = model_manifest(
            *(_COMMAND, describe_all(folder), inputs, _settings(config)), versions_of([LITERT])
        )
        manifest.write(folder)
    return report


def _settings(config: StudyConfig) -> dict[str, Any]:
    """Return the settings for the manifest."""
    return loading_settings(config) | {
        "metric": config.metric,
        "bits": list(config.bits),
        "roundings": list(config.roundings),
        "seed": config.seed,
    }


def _study(job: Job, data: JobData, config: StudyConfig, running: Interpreters) -> StudyReport:
    names = [output.name for output in data.signature.outputs]
    model = job.float_tflite.read_bytes()
    float_outputs = _run(data, model, running, job.work)
    scorers = make_evaluators(float_outputs, data.measures)
    simulated = []
    pairs = [(bits, rounding) for bits in config.bits for rounding in config.roundings]
    with job.progress.step("study") as update:
        for done, (bits, rounding) in enumerate(pairs):
            update(done, len(pairs), f"{bits} bits, {rounding}")
            rounded = round_weights(model, bits, rounding, config.seed)
            with TemporaryFolder(job.work) as work:  # outputs are files there
                outputs = _run(data, rounded, running, work)
                scores = {name: scorers[name].score(outputs[name], None) for name in names}
            simulated.append(Simulated(bits=bits, rounding=rounding, outputs=scores))
    measures = {name: data.measures.get(name) for name in names}
    return StudyReport(
        model=model_steps.model_name(job.config),
        samples=len(data.evaluation_data),
        seed=config.seed,
        metrics={
            name: measure.metric.name if measure else None for name, measure in measures.items()
        },
        float_values={name: evaluator.float_value() for name, evaluator in scorers.items()},
        simulated=tuple(simulated),
    )


def _run(data: JobData, model: bytes, running: Interpreters, work: Path) -> Arrays:
    """Run a float .tflite on LiteRT; returns its outputs (samples, ...), by name."""
    path = work / "simulated.tflite"
    path.write_bytes(model)
    runs = running.run(
        model=path,
        inputs=data.evaluation_data.inputs,
        outputs=[output.name for output in data.signature.outputs],
        work=work,
        update=ignore,
    )
    run = runs[LITERT.name]
    if run.outputs is None:
        raise ConversionError(f"LiteRT cannot run the float model: {why_no_outputs(run)}")
    return run.outputs
