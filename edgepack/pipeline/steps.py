"""The steps that pipelines are made of."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future
from typing import Any

from edgepack.arrays import Arrays, array_paths, load_arrays
from edgepack.bundle import write_texts
from edgepack.codec import restore
from edgepack.compress.prune import Pruning
from edgepack.deviation import Validation
from edgepack.emit.files import array_files
from edgepack.emit.names import c_identifier
from edgepack.evaluation.score import Comparison
from edgepack.pipeline.job import Data, Job
from edgepack.pipeline.model_session import keep
from edgepack.pipeline.running import Task
from edgepack.pipeline.scores import compare_outputs
from edgepack.pipeline.splits import first_class_labels
from edgepack.provenance import describe_prune
from edgepack.quantize.inputs import quantize_inputs
from edgepack.quantize.proof import dense_scales, require_full_integer, require_quantized_weights
from edgepack.recipe import Recipe, as_json
from edgepack.report import QuantizationReport
from edgepack.tflite.flatbuffer import read_tflite
from edgepack.types import Model, Tensor


def prune(job: Job, data: Data, inputs: dict[str, Any]) -> Pruning | None:
    """Prune the model if asked to; ``inputs`` are those of the manifest."""
    wanted = job.recipe.prune
    if wanted is None:
        return None
    with job.progress.step("prune") as update:
        done = job.session.call(
            "prune",
            update=update,
            samples=dict(data.representative.files),
            settings=as_json(wanted),
            training=data.train
            and {
                "inputs": dict(data.train.files),
                "labels": job.save(
                    "taught", {name: measure.wanted[:] for name, measure in data.taught.items()}
                ),
                "losses": {name: measure.metric.loss for name, measure in data.taught.items()},
                "fingerprint": _fingerprint(job.recipe, inputs),
            },
        )
    return restore(Pruning, done)


def _fingerprint(recipe: Recipe, inputs: dict[str, Any]) -> str:
    """Digest what decides the result of fine-tuning, for its checkpoints."""
    decisive = {
        "inputs": {role: inputs.get(role) for role in ("model", "weights", "train")},
        "metric": recipe.metric,
        "prune": describe_prune(recipe),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def convert(job: Job, data: Data) -> tuple[str, ...]:
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


def quantize(job: Job) -> tuple[Model, QuantizationReport]:
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
    """Name the model in C; raises :class:`RecipeError` if its file's name leaves no name there."""
    return c_identifier(model_name(recipe))


def model_name(recipe: Recipe) -> str:
    """Name the model as its file is named."""
    path = recipe.model.resolve()
    return path.name if path.is_dir() else path.stem


def predict(job: Job, data: Data) -> dict[str, Future[Any]]:
    """Let the float models predict, while the interpreters run."""
    inputs = dict(data.compared.files)
    stages = ["float", "pruned"] if job.recipe.prune else ["float"]
    return {
        stage: job.session.start(
            "predict", pruned=stage == "pruned", inputs=inputs, outputs=str(job.own / stage)
        )
        for stage in stages
    }


def task(job: Job, data: Data, model: Model) -> Task:
    """Give the quantized model the samples that models are compared on."""
    return Task(
        path=job.quantized_tflite,
        model=model,
        inputs=quantize_inputs(data.compared.inputs, model.main.input_tensors, job.work),
        outputs=list(named_outputs(data, model)),
        labels=first_class_labels(data.compared, data.signature),
    )


def predicted(job: Job, data: Data, predictions: dict[str, Future[Any]]) -> dict[str, Arrays]:
    """Wait for what the float models predict: by stage, then by output."""
    names = [output.name for output in data.signature.outputs]
    with job.progress.step("compare"):
        for prediction in predictions.values():
            prediction.result()
        return {stage: load_arrays(array_paths(job.own / stage, names)) for stage in predictions}


def named_outputs(data: Data, model: Model) -> dict[str, Tensor]:
    """Find the quantized model's outputs by the float model's names."""
    names = (output.name for output in data.signature.outputs)
    return dict(zip(names, model.main.output_tensors, strict=True))


def compare(
    job: Job, data: Data, model: Model, validation: Validation, outputs: dict[str, Arrays]
) -> Comparison:
    """Compare what the float models and the interpreters gave."""
    return compare_outputs(
        validation,
        named_outputs(data, model),
        outputs["float"],
        outputs.get("pruned"),
        data.measures,
        scheme=job.recipe.quantization.scheme,
        data="test" if data.is_tested else "representative",
    )
