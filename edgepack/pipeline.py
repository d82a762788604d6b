"""The export, step by step: the only module that knows the order."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgepack import bundle
from edgepack.arrays import Arrays, load_arrays, save_arrays
from edgepack.calibration.dataset import Dataset, load_npz
from edgepack.checks import Evidence, judge
from edgepack.compare import Comparison, compare_output
from edgepack.compress.checkpoint import remove_checkpoint
from edgepack.compress.prune import Pruning
from edgepack.compress.training import Trained
from edgepack.convert import has_loop
from edgepack.emit.c_array import c_header, c_source
from edgepack.emit.names import c_identifier
from edgepack.errors import MissingToolError, RecipeError, WorkerCrashError
from edgepack.flatbuffer import read_tflite
from edgepack.load.formats import detect
from edgepack.load.keras_model import KerasModel
from edgepack.metrics import Measure, measures, require_known
from edgepack.progress import Progress, Silent
from edgepack.quantize.affine import dequantize, quantize
from edgepack.quantize.proof import require_full_integer
from edgepack.recipe import DISTILLATION, Recipe
from edgepack.report import Report, RuntimeReport, SparsityReport
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.runtimes.processes import Interpreters, Run, interpreters
from edgepack.sparsity import Sparsity, weight_sparsity
from edgepack.target import Target, load_target
from edgepack.types import Model, Signature, Tensor, TensorSpec
from edgepack.validate import Validation, hold_against_reference
from edgepack.worker import Worker

_DISTRIBUTIONS = (
    "keras",
    "numpy",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
)


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
    runtimes, notes = _available(targets)
    with (
        bundle.stage(recipe.output, force=recipe.force) as folder,
        # On the same disk as the output: if that is full, the message names the right one.
        tempfile.TemporaryDirectory(prefix=".edgepack-", dir=folder.parent) as work,
        Worker("edgepack.session:ModelSession", label="TensorFlow", verbose=verbose) as session,
        interpreters(runtimes, verbose=verbose) as running,
    ):
        job = _Job(recipe, folder, Path(work), session, progress or Silent())
        inputs = _describe_inputs(recipe)
        data = _load(job)
        pruning = _prune(job, data, inputs)
        notes += _convert(job, data)
        model = _quantize(job, data)
        _emit(job)
        predictions = _predict(job, data)
        runs = _run(job, data, model, running)
        outputs = _outputs(job, predictions)
        validation = hold_against_reference(runs, _named_outputs(data, model), outputs["float"])
        evidence = Evidence(
            model_bytes=job.int8_tflite.stat().st_size,
            runs=validation.runs,
            deviations=validation.deviations,
        )
        report = Report(
            model=_name(recipe),
            float_runtime=data.runtime,
            artifacts=bundle.describe_all(folder),
            comparison=_compare(data, model, validation, outputs),
            pruning=pruning,
            runtimes=_runtime_reports(validation),
            sparsity=_sparsity(job, model),
            targets={target.name: judge(target, evidence) for target in targets},
            notes=(*notes, *validation.notes),
        )
        bundle.write_json(folder / "report.json", report.to_dict())
        artifacts = report.artifacts | {"report.json": bundle.describe(folder / "report.json")}
        bundle.write_json(folder / bundle.MANIFEST, _manifest(recipe, artifacts, inputs, runtimes))
    if recipe.fine_tune and recipe.fine_tune.checkpoints:
        remove_checkpoint(recipe.fine_tune.checkpoints)
    return report


@dataclass(frozen=True)
class _Job:
    """Files to keep in ``folder``, arrays in ``work``, TensorFlow in ``session``."""

    recipe: Recipe
    folder: Path
    work: Path
    session: Worker
    progress: Progress

    @property
    def float_tflite(self) -> Path:
        return self.folder / "float.tflite"

    @property
    def int8_tflite(self) -> Path:
        return self.folder / "int8.tflite"

    def save(self, name: str, arrays: Arrays) -> dict[str, str]:
        """Hand arrays to a worker: the paths of their files."""
        return save_arrays(self.work / name, arrays)


@dataclass(frozen=True)
class _Data:
    """The datasets of a recipe, cast to the model's inputs and checked against its outputs.

    ``runtime`` is what runs the float model; ``representative_files`` has the representative
    dataset for workers. Interpreters run, and outputs are compared, on ``compared``, which is the
    test data if there are any. ``measures`` has an entry for each output that there are labels
    for, ``taught`` for each output that fine-tuning has labels for in ``train``.
    """

    signature: Signature
    runtime: str
    representative: Dataset
    representative_files: dict[str, str]
    compared: Dataset
    measures: dict[str, Measure]
    train: Dataset | None
    taught: dict[str, Measure]

    @property
    def is_tested(self) -> bool:
        """Whether there are test data, other samples than those of the calibration."""
        return self.compared is not self.representative

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the inputs, samples left out."""
        return [array.shape[1:] for array in self.representative.inputs.values()]


def _available(targets: Iterable[Target]) -> tuple[list[Runtime], tuple[str, ...]]:
    """Find the runtimes that the targets need, and say which are not to be had here."""
    names = {name for target in targets for name in target.interpreters}
    wanted = [REFERENCE, *(runtime for name, runtime in RUNTIMES.items() if name in names)]
    found = [runtime for runtime in wanted if runtime.missing() is None]
    notes = tuple(dict.fromkeys(reason for runtime in wanted if (reason := runtime.missing())))
    if not names & {runtime.name for runtime in found}:
        raise MissingToolError(f"none of the targets' interpreters is here: {'; '.join(notes)}")
    return found, notes


def _load(job: _Job) -> _Data:
    recipe, fine_tune = job.recipe, job.recipe.fine_tune
    require_known(recipe.metric)
    if recipe.metric is not None and recipe.test is None and fine_tune is None:
        raise RecipeError(f"metric {recipe.metric!r} needs samples to measure: give --test")
    with job.progress.step("load") as update:
        archives = {
            path: load_npz(path)
            for path in (recipe.representative, recipe.test, fine_tune and fine_tune.train)
            if path
        }
        loaded = job.session.call(
            "load",
            update=update,
            source=_as_json(recipe.source),
            strategy=fine_tune and fine_tune.strategy,
        )
        signature = Signature(
            **{
                kind: tuple(
                    TensorSpec(**(spec | {"shape": tuple(spec["shape"])})) for spec in loaded[kind]
                )
                for kind in ("inputs", "outputs")
            }
        )
        representative = archives[recipe.representative].dataset(signature)
        test = archives[recipe.test].dataset(signature) if recipe.test else None
        train = archives[fine_tune.train].dataset(signature) if fine_tune else None
        return _Data(
            signature=signature,
            runtime=loaded["runtime"],
            representative=representative,
            representative_files=job.save("representative", representative.inputs),
            compared=test or representative,
            measures=measures(recipe.metric, test, signature) if test else {},
            train=train,
            taught=_taught(recipe, train, signature) if train else {},
        )


def _taught(recipe: Recipe, train: Dataset, signature: Signature) -> dict[str, Measure]:
    if recipe.fine_tune and recipe.fine_tune.loss == DISTILLATION:
        return {}  # the model's own outputs are learnt
    taught = measures(recipe.metric, train, signature)
    if not taught:
        raise RecipeError(
            f"{train.source}: fine-tuning needs labels in 'y', or the metric 'reconstruction-mse',"
            f" or the loss {DISTILLATION!r}, which needs none"
        )
    return taught


def _prune(job: _Job, data: _Data, inputs: dict[str, Any]) -> Pruning | None:
    prune = job.recipe.prune
    if prune is None:
        return None
    with job.progress.step("prune") as update:
        done = job.session.call(
            "prune",
            update=update,
            samples=data.representative_files,
            settings=_as_json(prune),
            training=data.train
            and {
                "inputs": job.save("train-inputs", data.train.inputs),
                "labels": job.save(
                    "train-labels", {name: measure.wanted for name, measure in data.taught.items()}
                ),
                "losses": {name: measure.metric.loss for name, measure in data.taught.items()},
                "fingerprint": _fingerprint(job.recipe, inputs),
            },
        )
    return Pruning(**(done | {"trained": done["trained"] and Trained(**done["trained"])}))


def _fingerprint(recipe: Recipe, inputs: dict[str, Any]) -> str:
    """Digest what decides the result of fine-tuning, for its checkpoints."""
    decisive = {
        "inputs": {role: inputs.get(role) for role in ("model", "weights", "train")},
        "metric": recipe.metric,
        "prune": _describe_prune(recipe),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _convert(job: _Job, data: _Data) -> tuple[str, ...]:
    """Write the float model; returns what there is to say about it."""
    with job.progress.step("convert") as update:
        done = job.session.call(
            "convert", update=update, shapes=data.shapes, float_tflite=str(job.float_tflite)
        )
    if not done["unrolled"]:
        return ()
    note = (
        f"unrolled, because a loop cannot be quantized: {', '.join(done['unrolled'])}; the model"
        " takes sequences of the representative dataset's length only"
    )
    return (note,)


def _quantize(job: _Job, data: _Data) -> Model:
    with job.progress.step("quantize") as update:
        source = read_tflite(job.float_tflite.read_bytes())
        try:
            job.session.call(
                "quantize",
                update=update,
                float_tflite=str(job.float_tflite),
                representative=data.representative_files,
                int8_tflite=str(job.int8_tflite),
            )
        except WorkerCrashError as error:
            if has_loop(source):
                cure = "give the Keras model, whose recurrent layers edgepack unrolls"
                if data.runtime == KerasModel.runtime:
                    cure = "replace the layer, such as a ConvLSTM2D, which cannot be unrolled"
                raise WorkerCrashError(
                    f"{error}; the model holds a loop, which the calibrator is known not to"
                    f" survive: {cure}"
                ) from error
            raise
        model = read_tflite(job.int8_tflite.read_bytes())
        require_full_integer(model, source)
        return model


def _emit(job: _Job) -> None:
    symbol = f"{c_identifier(_name(job.recipe))}_model"
    data = job.int8_tflite.read_bytes()
    firmware = job.folder / "firmware"
    firmware.mkdir()
    (firmware / f"{symbol}.h").write_text(c_header(symbol, data), encoding="ascii")
    (firmware / f"{symbol}.c").write_text(c_source(symbol, data), encoding="ascii")


def _name(recipe: Recipe) -> str:
    path = recipe.model.resolve()
    return path.name if path.is_dir() else path.stem


def _predict(job: _Job, data: _Data) -> dict[str, Future[Any]]:
    """Let the float models predict, while the interpreters run."""
    inputs = job.save("compared", data.compared.inputs)
    stages = ["float", "pruned"] if job.recipe.prune else ["float"]
    return {
        stage: job.session.start(
            "predict", pruned=stage == "pruned", inputs=inputs, outputs=str(job.work / stage)
        )
        for stage in stages
    }


def _run(job: _Job, data: _Data, model: Model, running: Interpreters) -> dict[str, Run]:
    inputs = zip(data.compared.inputs.items(), model.main.input_tensors, strict=True)
    with job.progress.step("validate") as update:
        return running.run(
            model=job.int8_tflite,
            inputs={name: quantize(array, tensor) for (name, array), tensor in inputs},
            outputs=list(_named_outputs(data, model)),
            work=job.work,
            update=update,
        )


def _outputs(job: _Job, predictions: dict[str, Future[Any]]) -> dict[str, Arrays]:
    """Wait for what the float models predict: by stage, then by output."""
    with job.progress.step("compare"):
        return {stage: load_arrays(made.result()) for stage, made in predictions.items()}


def _named_outputs(data: _Data, model: Model) -> dict[str, Tensor]:
    """Find the int8 model's outputs by the float model's names."""
    names = (output.name for output in data.signature.outputs)
    return dict(zip(names, model.main.output_tensors, strict=True))


def _compare(
    data: _Data, model: Model, validation: Validation, outputs: dict[str, Arrays]
) -> Comparison:
    ran = {name: run.outputs for name, run in validation.runs.items() if run.outputs is not None}
    return Comparison(
        data="test" if data.is_tested else "representative",
        samples=len(data.compared),
        outputs={
            name: compare_output(
                outputs["float"][name],
                outputs["pruned"][name] if "pruned" in outputs else None,
                {runtime: dequantize(made[name], tensor) for runtime, made in ran.items()},
                data.measures.get(name),
            )
            for name, tensor in _named_outputs(data, model).items()
        },
    )


def _sparsity(job: _Job, model: Model) -> SparsityReport:
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


def _manifest(
    recipe: Recipe,
    artifacts: dict[str, bundle.Artifact],
    inputs: dict[str, Any],
    runtimes: list[Runtime],
) -> dict[str, Any]:
    """Say what made the folder: content and names only, so that it is the same everywhere."""
    return {
        "schema": 1,
        "artifacts": {name: asdict(artifact) for name, artifact in artifacts.items()},
        "recipe": inputs
        | {
            "custom_objects": list(recipe.custom_objects),
            "allow_unsafe": recipe.allow_unsafe,
            "prune": _describe_prune(recipe),
            "targets": list(recipe.targets),
            "metric": recipe.metric,
        },
        "versions": {"edgepack": version("edgepack"), "python": platform.python_version()}
        | {name: version(name) for name in _DISTRIBUTIONS}
        | {runtime.distribution: str(runtime.version()) for runtime in runtimes},
    }


def _describe_prune(recipe: Recipe) -> dict[str, Any] | None:
    """Describe pruning, but for files, which are named with the inputs."""
    if recipe.prune is None:
        return None
    described: dict[str, Any] = _as_json(recipe.prune)
    if described["fine_tune"]:
        for key in ("train", "checkpoints", "resume"):
            del described["fine_tune"][key]
    return described


def _as_json(settings: Any) -> dict[str, Any]:
    """Turn a dataclass of settings into JSON values, paths into texts."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    return values


def _describe_inputs(recipe: Recipe) -> dict[str, Any]:
    inputs = {
        "model": recipe.model,
        "weights": recipe.weights,
        "representative": recipe.representative,
        "test": recipe.test,
        "train": recipe.fine_tune and recipe.fine_tune.train,
    }
    return {
        role: {"name": path.resolve().name} | asdict(bundle.describe(path))
        for role, path in inputs.items()
        if path
    }
