"""The steps that pipelines are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from edgepack.config.export import Recipe
from edgepack.emit.c.c_identifiers import c_identifier
from edgepack.emit.tflm.model_files import array_files
from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.scores import Comparison
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.model_process import keep
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


def convert(job: Job, data: JobData) -> tuple[str, ...]:
    """Write the float model; returns what there is to say about it."""
    with job.progress.step("convert") as update:
        made = job.own / job.float_tflite.name
        done = job.session.call(
            "convert", update=update, shapes=data.shapes, float_tflite=str(made)
        )
        keep(made, job.float_tflite)
    if not done["unrolled"]:
        return ()
    note = (
        f"unrolled, because a loop cannot be quantized: {', '.join(done['unrolled'])}; the model"
        " takes sequences of the representative dataset's length only"
    )
    return (note,)


def quantize_model(job: Job) -> tuple[Model, QuantizationReport]:
    """Write the quantized model, and prove what came of it; returns what its file holds."""
    settings = job.recipe.quantization
    with job.progress.step("quantize") as update:
        source = read_tflite(job.float_tflite.read_bytes())
        made = job.own / job.quantized_tflite.name
        job.session.call(
            "quantize",
            update=update,
            float_tflite=str(job.float_tflite),
            calibrated_tflite=str(job.calibrated_tflite),
            settings=settings,
            quantized_tflite=str(made),
        )
        keep(made, job.quantized_tflite)
        model = read_tflite(job.quantized_tflite.read_bytes())
        if settings.needs_ranges:
            in_float = require_full_integer(model, source, settings)
        else:
            in_float = require_quantized_weights(model, settings.scheme)
        return model, QuantizationReport(
            settings=settings, in_float=in_float, dense=dense_scales(model)
        )


def emit(job: Job) -> None:
    """Write the quantized model as C."""
    files = array_files(c_name(job.recipe), job.quantized_tflite.read_bytes())
    write_texts(job.folder / "firmware", files)


def c_name(recipe: Recipe) -> str:
    """Name the model in C; raises :class:`ConfigError` if its file's name leaves no name there."""
    return c_identifier(model_name(recipe))


def model_name(recipe: Recipe) -> str:
    """Name the model as its file is named."""
    path = recipe.model.resolve()
    return path.name if path.is_dir() else path.stem


def predict(job: Job, data: JobData, stages: Sequence[str] = ()) -> dict[str, Future[Any]]:
    """Let the float models predict, while the interpreters run: as given, and by ``stages``."""
    inputs = dict(data.compared.files)
    return {
        stage: job.session.start(
            "predict", steps=steps, inputs=inputs, outputs=str(job.own / stage)
        )
        for steps, stage in enumerate(["float", *stages])
    }


def workload(job: Job, data: JobData, model: Model) -> Workload:
    """Give the quantized model the samples that models are compared on."""
    return Workload(
        path=job.quantized_tflite,
        model=model,
        inputs=quantize_inputs(data.compared.inputs, model.main.input_tensors, job.work),
        outputs=list(named_outputs(data, model)),
        labels=first_class_labels(data.compared, data.signature),
    )


def predicted(job: Job, data: JobData, predictions: dict[str, Future[Any]]) -> dict[str, Arrays]:
    """Wait for what the float models predict: by stage, then by output."""
    names = [output.name for output in data.signature.outputs]
    with job.progress.step("compare"):
        for prediction in predictions.values():
            prediction.result()
        return {stage: load_arrays(array_paths(job.own / stage, names)) for stage in predictions}


def named_outputs(data: JobData, model: Model) -> dict[str, Tensor]:
    """Find the quantized model's outputs by the float model's names."""
    names = (output.name for output in data.signature.outputs)
    return dict(zip(names, model.main.output_tensors, strict=True))


def compare_with_float(
    job: Job,
    data: JobData,
    model: Model,
    validation: ReferenceComparison,
    evaluators: Mapping[str, Evaluator],
    pruned: StepReport | None,
) -> Comparison:
    """Compare what the interpreters gave with the float model; ``pruned`` is scored already."""
    return compare_outputs(
        validation,
        named_outputs(data, model),
        evaluators,
        data.measures,
        pruned=pruned.outputs if pruned else None,
        scheme=job.recipe.quantization.scheme,
        data="test" if data.is_tested else "representative",
        samples=len(data.compared),
    )
