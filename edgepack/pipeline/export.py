"""The export, step by step."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgepack import bundle
from edgepack.checks import Evidence, judge
from edgepack.compress.checkpoint import remove_checkpoint
from edgepack.errors import RecipeError
from edgepack.flatbuffer import read_tflite
from edgepack.load.formats import detect
from edgepack.manifest import describe_inputs, manifest
from edgepack.pipeline import steps
from edgepack.pipeline.job import Job, available, load
from edgepack.pipeline.lint import warnings
from edgepack.progress import Progress, Silent
from edgepack.recipe import Recipe
from edgepack.report import Report, RuntimeReport, SparsityReport
from edgepack.runtimes.processes import interpreters
from edgepack.sparsity import Sparsity, weight_sparsity
from edgepack.target import load_target
from edgepack.types import Model
from edgepack.validate import Validation, hold_against_reference
from edgepack.worker import Worker


def export(recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False) -> Report:
    """Export a model: prune if asked to, quantize to INT8, emit C, validate and compare.

    Writes ``recipe.output`` whole or not at all and returns the report that it holds. A model
    that does not pass on a target is still written: ``report.passed`` tells. ``verbose`` lets
    TensorFlow and the interpreters write to standard error.

    Raises an :class:`~edgepack.errors.EdgepackError` for what a user can cause or cure.
    """
    detect(recipe.model)
    if not recipe.targets:
        raise RecipeError("no target: name at least one, such as 'phone'")
    targets = [load_target(name) for name in recipe.targets]
    runtimes, notes = available(targets)
    with (
        bundle.stage(recipe.output, force=recipe.force) as folder,
        # On the same disk as the output: if that is full, the message names the right one.
        tempfile.TemporaryDirectory(prefix=".edgepack-", dir=folder.parent) as work,
        Worker("edgepack.session:ModelSession", label="TensorFlow", verbose=verbose) as session,
        interpreters(runtimes, verbose=verbose) as running,
    ):
        job = Job(recipe, folder, Path(work), session, progress or Silent())
        inputs = describe_inputs(recipe)
        data = load(job)
        notes += warnings(job, data)
        pruning = steps.prune(job, data, inputs)
        notes += steps.convert(job, data)
        model = steps.quantize(job, data)
        steps.emit(job)
        predictions = steps.predict(job, data)
        runs = steps.run(job, data, model, running)
        outputs = steps.predicted(job, predictions)
        validation = hold_against_reference(
            runs, steps.named_outputs(data, model), outputs["float"]
        )
        evidence = Evidence(
            model_bytes=job.int8_tflite.stat().st_size,
            runs=validation.runs,
            deviations=validation.deviations,
        )
        report = Report(
            model=steps.model_name(recipe),
            float_runtime=data.runtime,
            artifacts=bundle.describe_all(folder),
            comparison=steps.compare(data, model, validation, outputs),
            pruning=pruning,
            runtimes=_runtime_reports(validation),
            sparsity=_sparsity(job, model),
            targets={target.name: judge(target, evidence) for target in targets},
            notes=(*notes, *validation.notes),
        )
        bundle.write_json(folder / "report.json", report.to_dict())
        artifacts = report.artifacts | {"report.json": bundle.describe(folder / "report.json")}
        bundle.write_json(folder / bundle.MANIFEST, manifest(recipe, artifacts, inputs, runtimes))
    if recipe.fine_tune and recipe.fine_tune.checkpoints:
        remove_checkpoint(recipe.fine_tune.checkpoints)
    return report


def _sparsity(job: Job, model: Model) -> SparsityReport:
    """Measure the zeros in the float model's layers, or else in its file, and in the int8 file."""
    layers = job.session.call("sparsity")
    return SparsityReport(
        float=Sparsity(**layers)
        if layers and layers["layers"]
        else weight_sparsity(read_tflite(job.float_tflite.read_bytes())),
        int8=weight_sparsity(model),
    )


def _runtime_reports(validation: Validation) -> dict[str, RuntimeReport]:
    return {
        name: RuntimeReport(
            version=run.version,
            deviations=validation.deviations.get(name, {}),
            arena_bytes=run.arena_bytes,
            failure=run.failure,
        )
        for name, run in validation.runs.items()
    }
