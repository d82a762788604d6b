"""Calibration, the step between conversion and quantization: finds the activation ranges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from edgepack.calibration.activations.calibrator import Calibrator, start_calibrator
from edgepack.calibration.activations.fill_search import find_limits
from edgepack.calibration.activations.observation_notes import observation_notes
from edgepack.calibration.activations.observers import make_observer
from edgepack.calibration.activations.ranges import (
    Calibration,
    choose_ranges,
    load_constants,
    load_ranges,
    read_recorded_ranges,
    save_ranges,
    write_ranges,
)
from edgepack.calibration.activations.saturating_constants import (
    FillLimits,
    limit_constants,
    recorded_limits,
)
from edgepack.calibration.activations.scale_limits import usable_ranges
from edgepack.calibration.activations.tensorflow_calibrator import (
    WITHOUT_FUSED,
    has_fused_operators,
)
from edgepack.calibration.datasets.content_order import content_order
from edgepack.config.export import ExportConfig
from edgepack.config.shared_settings import DEFAULT_OBSERVER
from edgepack.conversion.to_tflite import has_loop
from edgepack.core.errors import ConfigError, ConversionError
from edgepack.core.progress import Update
from edgepack.load.keras_model import KerasModel
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.model_process import collect_output
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.quantization.represented_ranges import represented_ranges
from edgepack.report.data.export import CalibrationReport
from edgepack.tflite.graph import Graph, Model
from edgepack.tflite.parser import read_tflite


@contextmanager
def calibrating(config: ExportConfig, *, verbose: bool) -> Iterator[Calibrator | None]:
    """Start the calibrator; yields None if the scheme needs no ranges, or they are given."""
    if config.ranges or not config.quantization.needs_ranges:
        yield None
        return
    with start_calibrator(verbose=verbose) as calibrator:
        yield calibrator


def calibrate(
    job: Job, data: JobData, calibrator: Calibrator | None, *, histograms: bool = False
) -> Calibration | None:
    """Measure the range of each activation, or read it from a file, and write calibration.json.

    Constants that only have to be low or high enough are clipped in the calibrated file. Returns
    None if the scheme needs no ranges. ``calibrator`` comes from :func:`calibrating`;
    ``histograms`` collects what every observer needs, rather than the chosen one only. Raises
    :class:`ConversionError` for a model with a loop, and :class:`ConfigError` for an
    observer that cannot be used with fused recurrent operators.
    """
    config = job.config
    if not config.quantization.needs_ranges:
        return None
    float_tflite = job.float_tflite.read_bytes()
    model = read_tflite(float_tflite)
    graph = model.main
    assign_patterns(
        graph, config.quantization.scheme, config.quantization.layers
    )  # to raise for unmatched patterns before the work
    _require_no_loop(job, data, model)
    with job.progress.step("calibrate") as update:
        limits = _find_limits(job, data, graph, update)
        limited_tflite = limit_constants(float_tflite, limits.constants)
        job.calibrated_tflite.write_bytes(limited_tflite)
        if config.ranges:
            calibration = Calibration(ranges=load_ranges(config.ranges, graph), observed=None)
        elif has_fused_operators(graph):
            calibration = _calibrate_fused(job, data, update)
        else:
            assert calibrator is not None  # noqa: S101 (calibrating() provides it)
            histograms |= make_observer(config.observer).needs_histogram
            calibration = _observe(
                job, data, calibrator, graph, histograms=histograms, update=update
            )
    limited = read_tflite(limited_tflite).main
    calibration = replace(
        calibration,
        ranges=usable_ranges(limited, calibration.ranges),
        chosen=calibration.ranges,
        constants=limits.constants,
        notes=(*limits.notes, *calibration.notes),
    )
    job.calibrated_tflite.write_bytes(write_ranges(limited_tflite, calibration.ranges))
    observer_name = None if config.ranges else config.observer
    save_ranges(
        job.folder / "calibration.json",
        calibration.ranges,
        observer_name,
        calibration.observed,
        calibration.constants,
    )
    return calibration


def calibration_report(
    config: ExportConfig, calibration: Calibration | None, model: Model
) -> CalibrationReport | None:
    """Report where the ranges come from, and the ranges that the quantized file represents."""
    if calibration is None:
        return None
    observed = calibration.observed
    return CalibrationReport(
        observer=None if config.ranges else config.observer,
        samples=observed.samples if observed else None,
        growth=observed.growth if observed else (),
        activations=represented_ranges(model, calibration.ranges),
    )


def _find_limits(job: Job, data: JobData, graph: Graph, update: Update) -> FillLimits:
    if job.config.ranges:
        return recorded_limits(graph, load_constants(job.config.ranges, graph))
    return find_limits(
        job.float_tflite.read_bytes(),
        list(data.representative.files.values()),
        samples=len(data.representative),
        work=job.work,
        update=update,
        verbose=job.verbose,
    )


def _observe(
    job: Job,
    data: JobData,
    calibrator: Calibrator,
    graph: Graph,
    *,
    histograms: bool,
    update: Update,
) -> Calibration:
    observed = calibrator.observe(
        job.calibrated_tflite.read_bytes(),
        dict(data.representative.files),
        order=content_order(data.representative.inputs, job.config.seed),
        histograms=histograms,
        work=job.work,
        update=update,
    )
    return Calibration(
        ranges=choose_ranges(graph, observed, job.config.observer),
        observed=observed,
        notes=tuple(observation_notes(graph, observed, data.representative)),
    )


def _calibrate_fused(job: Job, data: JobData, update: Update) -> Calibration:
    if job.config.observer != DEFAULT_OBSERVER:
        raise ConfigError(
            f"{job.config.model}: has fused recurrent operators, which only TensorFlow's calibrator"
            f" can observe; choose its observer, {DEFAULT_OBSERVER!r}, or {WITHOUT_FUSED}"
        )
    written = job.session_folder / job.calibrated_tflite.name
    job.session.call(
        "calibrate_fused",
        update=update,
        float_tflite=str(job.calibrated_tflite),
        representative=dict(data.representative.files),
        seed=job.config.seed,
        calibrated_tflite=str(written),
    )
    collect_output(written, job.calibrated_tflite)
    return Calibration(
        ranges=read_recorded_ranges(job.calibrated_tflite.read_bytes()), observed=None
    )


def _require_no_loop(job: Job, data: JobData, model: Model) -> None:
    if not has_loop(model):
        return
    cure = WITHOUT_FUSED
    if data.runtime == KerasModel.runtime:
        cure = "replace the layer, such as a ConvLSTM2D, which cannot be unrolled"
    raise ConversionError(
        f"{job.config.model}: contains a loop, whose activations cannot be quantized: {cure}"
    )
