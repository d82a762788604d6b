"""The step between conversion and quantization: the ranges of the activations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgepack.calibration.activations.calibrator import Calibrator, observers_at_work
from edgepack.calibration.activations.observers import observer
from edgepack.calibration.activations.ranges import (
    Calibration,
    choose_ranges,
    load_ranges,
    recorded,
    save_ranges,
    write_ranges,
)
from edgepack.calibration.activations.tensorflow_calibrator import is_fused
from edgepack.config.export import DEFAULT_OBSERVER, Recipe
from edgepack.conversion.to_tflite import has_loop
from edgepack.core.errors import ConfigError, ConversionError
from edgepack.core.progress import Update
from edgepack.load.keras_model import KerasModel
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.model_process import keep
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.quantization.represented_ranges import represented_ranges
from edgepack.report.data.export import CalibrationReport
from edgepack.tflite.graph import Graph, Model
from edgepack.tflite.parser import read_tflite


@contextmanager
def calibrating(recipe: Recipe, *, verbose: bool) -> Iterator[Calibrator | None]:
    """Start what watches activations; None if the scheme needs no ranges, or they are given."""
    if recipe.ranges or not recipe.quantization.needs_ranges:
        yield None
        return
    with observers_at_work(verbose=verbose) as calibrator:
        yield calibrator


def calibrate(job: Job, data: JobData, calibrator: Calibrator | None) -> Calibration | None:
    """Find the range of each activation, or take it from a file, and write calibration.json.

    Returns None if the scheme needs no ranges. ``calibrator`` is of :func:`calibrating`.
    """
    recipe = job.recipe
    if not recipe.quantization.needs_ranges:
        return None
    float_tflite = job.float_tflite.read_bytes()
    model = read_tflite(float_tflite)
    graph = model.main
    assign_patterns(
        graph, recipe.quantization.scheme, recipe.quantization.layers
    )  # before the work
    _require_no_loop(job, data, model)
    with job.progress.step("calibrate") as update:
        if recipe.ranges:
            done = Calibration(ranges=load_ranges(recipe.ranges, graph), observed=None)
        elif is_fused(graph):
            done = _calibrate_fused(job, data, update)
        else:
            assert calibrator is not None  # noqa: S101 (as calibrating() gives it)
            done = _observe(job, data, calibrator, graph, update)
    job.calibrated_tflite.write_bytes(write_ranges(float_tflite, done.ranges))
    how = None if recipe.ranges else recipe.observer
    save_ranges(job.folder / "calibration.json", done.ranges, how, done.observed)
    return done


def calibration_report(
    recipe: Recipe, calibration: Calibration | None, model: Model
) -> CalibrationReport | None:
    """Say where the ranges come from, and what the quantized file made of them."""
    if calibration is None:
        return None
    observed = calibration.observed
    return CalibrationReport(
        observer=None if recipe.ranges else recipe.observer,
        samples=observed.samples if observed else None,
        growth=observed.growth if observed else (),
        activations=represented_ranges(model, calibration.ranges),
    )


def _observe(
    job: Job, data: JobData, calibrator: Calibrator, graph: Graph, update: Update
) -> Calibration:
    observed = calibrator.observe(
        job.float_tflite.read_bytes(),
        dict(data.representative.files),
        samples=len(data.representative),
        histograms=observer(job.recipe.observer).needs_histogram,
        work=job.work,
        update=update,
    )
    return Calibration(
        ranges=choose_ranges(graph, observed, job.recipe.observer), observed=observed
    )


def _calibrate_fused(job: Job, data: JobData, update: Update) -> Calibration:
    if job.recipe.observer != DEFAULT_OBSERVER:
        raise ConfigError(
            f"{job.recipe.model}: has fused recurrent operators, which only TensorFlow's calibrator"
            f" can watch; its observer is {DEFAULT_OBSERVER!r}"
        )
    made = job.own / job.calibrated_tflite.name
    job.session.call(
        "calibrate_fused",
        update=update,
        float_tflite=str(job.float_tflite),
        representative=dict(data.representative.files),
        calibrated_tflite=str(made),
    )
    keep(made, job.calibrated_tflite)
    return Calibration(ranges=recorded(job.calibrated_tflite.read_bytes()), observed=None)


def _require_no_loop(job: Job, data: JobData, model: Model) -> None:
    if not has_loop(model):
        return
    cure = "give the Keras model, whose recurrent layers edgepack unrolls"
    if data.runtime == KerasModel.runtime:
        cure = "replace the layer, such as a ConvLSTM2D, which cannot be unrolled"
    raise ConversionError(
        f"{job.recipe.model}: holds a loop, whose activations cannot be quantized: {cure}"
    )
