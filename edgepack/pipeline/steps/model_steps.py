"""The steps on the model: conversion, quantization, emission, prediction and comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from edgepack.config.export import ExportConfig
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.emit.c.c_identifiers import c_identifier
from edgepack.emit.tflm.model_files import array_files
from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.scores import Comparison
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.model_process import collect_output
from edgepack.pipeline.steps.run import Workload
from edgepack.pipeline.steps.score import compare_outputs
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.quantization.verify import (
    dense_scales,
    require_full_integer,
    require_quantized_weights,
)
from edgepack.report.data.compression import StepReport
from edgepack.report.data.export import QuantizationReport
from edgepack.storage.arrays import Arrays, array_paths, load_arrays
from edgepack.storage.dataset import first_class_labels
from edgepack.storage.text_files import write_texts
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.parser import read_tflite


class Conversion(NamedTuple):
    """What a report notes of a conversion, and whether recurrent layers were unrolled for it."""

    notes: tuple[str, ...]
    is_unrolled: bool


def convert(job: Job, data: JobData) -> Conversion:
    """Convert the model and write the float .tflite."""
    with job.progress.step("convert") as update:
        written = job.session_folder / job.float_tflite.name
        result = job.session.call(
            "convert",
            update=update,
            samples=dict(data.representative.files),
            float_tflite=str(written),
        )
        collect_output(written, job.float_tflite)
    notes = (*_unrolled_notes(result), *not_compared_notes(result))
    return Conversion(notes, is_unrolled=bool(result["unrolled"]))


def _unrolled_notes(converted: Mapping[str, Any]) -> Iterator[str]:
    if converted["unrolled"]:
        yield (
            f"unrolled, because a loop cannot be quantized: {', '.join(converted['unrolled'])};"
            " the model accepts only sequences as long as those of the representative dataset"
        )


def not_compared_notes(converted: Mapping[str, Any]) -> Iterator[str]:
    """Yield a note on each output of the float model that was not compared with its .tflite."""
    for name, why in converted["not_compared"].items():
        yield f"the output {name!r} was not held against {FLOAT_TFLITE}: {why}"


def quantize_model(job: Job) -> tuple[Model, QuantizationReport]:
    """Quantize the float model, write the file and verify it; returns it parsed, and a report."""
    settings = job.config.quantization
    with job.progress.step("quantize") as update:
        source = read_tflite(job.float_tflite.read_bytes())
        written = job.session_folder / job.quantized_tflite.name
        job.session.call(
            "quantize",
            update=update,
            float_tflite=str(job.float_tflite),
            calibrated_tflite=str(job.calibrated_tflite),
            settings=settings,
            quantized_tflite=str(written),
        )
        collect_output(written, job.quantized_tflite)
        model = read_tflite(job.quantized_tflite.read_bytes())
        if settings.needs_ranges:
            in_float = require_full_integer(model, source, settings)
        else:
            in_float = require_quantized_weights(model, settings.scheme)
        return model, QuantizationReport(
            settings=settings, in_float=in_float, dense=dense_scales(model)
        )


def emit_c(job: Job) -> None:
    """Write the quantized model as C arrays."""
    files = array_files(c_name(job.config), job.quantized_tflite.read_bytes())
    write_texts(job.folder / "firmware", files)


def c_name(config: ExportConfig) -> str:
    """Return the model's name as a C identifier.

    Raises :class:`~edgepack.core.errors.ConfigError` if its file's name contains no letter or digit
    that an identifier may have.
    """
    return c_identifier(model_name(config))


def model_name(config: ExportConfig) -> str:
    """Return the name of the model: that of its file without the suffix, or of its folder."""
    path = config.model.resolve()
    return path.name if path.is_dir() else path.stem


def start_predictions(
    job: Job, data: JobData, stages: Sequence[str] = ()
) -> dict[str, Future[Any]]:
    """Start the float models' predictions, which then run while the interpreters do.

    Returns a future for ``float``, the model before compression, and for each of the ``stages``.
    """
    inputs = dict(data.evaluation_data.files)
    return {
        stage: job.session.start(
            "predict", steps=steps, inputs=inputs, outputs=str(job.session_folder / stage)
        )
        for steps, stage in enumerate(["float", *stages])
    }


def quantized_workload(job: Job, data: JobData, model: Model) -> Workload:
    """Return the quantized model with the evaluation data as its inputs."""
    return Workload(
        path=job.quantized_tflite,
        model=model,
        inputs=quantize_inputs(data.evaluation_data.inputs, model.main.input_tensors, job.work),
        outputs=list(named_outputs(data, model)),
        labels=first_class_labels(data.evaluation_data, data.signature),
    )


def collect_predictions(
    job: Job, data: JobData, predictions: dict[str, Future[Any]]
) -> dict[str, Arrays]:
    """Wait for the float models' predictions; returns arrays by stage, then by output name."""
    names = [output.name for output in data.signature.outputs]
    with job.progress.step("compare"):
        for prediction in predictions.values():
            prediction.result()
        return {
            stage: load_arrays(array_paths(job.session_folder / stage, names))
            for stage in predictions
        }


def named_outputs(data: JobData, model: Model) -> dict[str, Tensor]:
    """Return the quantized model's output tensors by the float model's output names."""
    names = (output.name for output in data.signature.outputs)
    return dict(zip(names, model.main.output_tensors, strict=True))


def compare_with_float(
    job: Job,
    data: JobData,
    model: Model,
    validation: ReferenceComparison,
    evaluators: Mapping[str, Evaluator],
    pruned: StepReport | None,
    compressed: Arrays | None,
) -> Comparison:
    """Compare the interpreters' outputs with the float model's.

    ``evaluators`` are keyed by output name; ``pruned`` has the scores of the pruned float model,
    ``compressed`` the outputs of the float model after compression, if it was compressed.
    """
    return compare_outputs(
        validation,
        model,
        evaluators,
        data.measures,
        pruned=pruned.outputs if pruned else None,
        compressed=compressed,
        scheme=job.config.quantization.scheme,
        data="test" if data.is_tested else "representative",
        samples=len(data.evaluation_data),
    )
