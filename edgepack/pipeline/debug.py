"""Finding the layers that a quantized model loses its accuracy in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from edgepack.config.export import Recipe
from edgepack.core.codec import restore
from edgepack.core.progress import Progress, Silent
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.layer_errors.ranking import rank_layers
from edgepack.layer_errors.result import Compared, DebugReport, Isolated
from edgepack.pipeline.lint import warnings
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.calibrate import calibrate, calibrating
from edgepack.pipeline.steps.job import Job, load, require_data
from edgepack.pipeline.steps.model_process import model_session, own_folder
from edgepack.report.plots.layer_errors import draw, has_matplotlib
from edgepack.runtimes import LITERT
from edgepack.runtimes.installed import versions_of
from edgepack.storage import text_files
from edgepack.storage.arrays import Arrays, pick, save_arrays
from edgepack.storage.artifact import describe_all
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import describe_inputs, export_manifest
from edgepack.workers.client import Worker
from edgepack.workers.replaced import ReplacedWorker

_COMMAND = "debug"
MAX_SAMPLES = 64
"""Every value of every layer is looked at: so many samples tell enough."""

_NO_PLOT = "no debug.svg: matplotlib is not installed; pip install 'edgepack[plot]'"


def debug(
    recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False
) -> DebugReport:
    """Quantize a model and compare it with its float model, layer by layer.

    Looks at samples spread evenly over the test data, or else the representative dataset. Writes
    ``recipe.output`` whole or not at all: both models, debug.json, debug.svg where matplotlib is
    installed, and the manifest. ``verbose`` lets TensorFlow and LiteRT write to standard error.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    require_data(recipe)
    with (
        staged_output(
            recipe.output, _COMMAND, recipe.inputs.values(), force=recipe.force
        ) as folder,
        TemporaryFolder(folder.parent) as work,
        model_session(recipe.source, work, reads=[folder], verbose=verbose) as session,
        calibrating(recipe, verbose=verbose) as calibrator,
        layer_comparer(verbose=verbose) as service,
    ):
        job = Job(recipe, folder, work, own_folder(work), session, progress or Silent(), verbose)
        data = load(job)
        notes = (*data.notes, *warnings(job, data))
        inputs = describe_inputs(recipe)
        notes += model_steps.convert(job, data)
        calibrate(job, data, calibrator)
        model, _ = model_steps.quantize_model(job)
        report = compare_layers(
            service,
            job.float_tflite,
            job.quantized_tflite,
            data.compared.inputs,
            list(model_steps.named_outputs(data, model)),
            job.work,
            job.progress,
        )
        report = replace(
            report,
            model=model_steps.model_name(recipe),
            data="test" if data.is_tested else "representative",
            notes=notes if has_matplotlib() else (*notes, _NO_PLOT),
        )
        text_files.write_json(folder / "debug.json", report.to_dict())
        if has_matplotlib():
            (folder / "debug.svg").write_bytes(draw(report))
        made = export_manifest(
            _COMMAND, recipe, describe_all(folder), inputs, versions_of([LITERT])
        )
        made.write(folder)
    return report


def layer_comparer(*, verbose: bool) -> ReplacedWorker:
    """Start the process that looks into models: it serves DebugService."""
    label = "LiteRT"
    start = partial(
        Worker, "edgepack.layer_errors.debug_service:DebugService", label=label, verbose=verbose
    )
    return ReplacedWorker(start, label)


def compare_layers(
    service: ReplacedWorker,
    float_tflite: Path,
    quantized_tflite: Path,
    inputs: Arrays,
    outputs: Sequence[str],
    work: Path,
    progress: Progress,
) -> DebugReport:
    """Compare two .tflite files layer by layer, on samples spread evenly over the test data.

    ``service`` is of :func:`layer_comparer`. ``inputs`` are real values (samples, ...), ``outputs``
    names what comes out; arrays go to the folder ``work``. Raises
    :class:`~edgepack.core.errors.ConversionError` for files that have no layer in common.
    """
    samples = _spread(inputs)
    service.call(
        "open",
        float_tflite=str(float_tflite),
        quantized_tflite=str(quantized_tflite),
        inputs=save_arrays(work / "debugged", samples),
    )
    with progress.step("compare") as update:
        compared = restore(Compared, service.call("compare", update=update))
    with progress.step("isolate") as update:
        isolated = restore(Isolated, service.call("isolate", update=update))
    scores = isolated.whole
    return DebugReport(
        model=quantized_tflite.name,
        data="test",
        samples=len(next(iter(samples.values()))),
        kernels=compared.kernels,
        outputs=dict(zip(outputs, scores, strict=True)),
        layers=rank_layers(
            compared.layers,
            isolated.alone,
            min((score.sqnr_db for score in scores if score.sqnr_db is not None), default=None),
        ),
        unmatched=compared.unmatched,
    )


def _spread(inputs: Arrays) -> Arrays:
    """Take samples at equal distances: datasets are often sorted by class."""
    count = len(next(iter(inputs.values())))
    taken = np.linspace(0, count - 1, min(count, MAX_SAMPLES)).round().astype(int)
    return {name: pick(array, taken) for name, array in inputs.items()}
