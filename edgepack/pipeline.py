"""The export, step by step: the only module that knows the order."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgepack import bundle, compare
from edgepack.arrays import load_array, save_array
from edgepack.calibration.dataset import Dataset, load_npz
from edgepack.checks import Evidence, judge
from edgepack.compress.prune import Pruning, Training
from edgepack.emit.c_array import c_header, c_source
from edgepack.emit.names import c_identifier
from edgepack.errors import MissingToolError, RecipeError, WorkerCrashError
from edgepack.flatbuffer import read_tflite
from edgepack.load import detect
from edgepack.metrics import Metric, choose, require_known
from edgepack.progress import Progress, Silent
from edgepack.quantize.affine import dequantize, quantize
from edgepack.quantize.proof import require_full_integer
from edgepack.recipe import Prune, Recipe
from edgepack.report import Report, RuntimeReport, SparsityReport
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.runtimes.processes import Interpreters, Run, interpreters
from edgepack.sparsity import Sparsity, int8_sparsity
from edgepack.target import Target, load_target
from edgepack.types import Model, TensorSpec
from edgepack.validate import Validation, hold_against_reference
from edgepack.worker import Worker

Array = NDArray[Any]

_DISTRIBUTIONS = (
    "keras",
    "numpy",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
)


def export(recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False) -> Report:
    """Export a Keras model: prune if asked to, quantize to INT8, emit C, validate and compare.

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
        Worker("edgepack.session:KerasSession", label="TensorFlow", verbose=verbose) as keras,
        interpreters(runtimes, verbose=verbose) as running,
    ):
        job = _Job(recipe, folder, Path(work), keras, progress or Silent())
        data = _load(job)
        inputs = _describe_inputs(recipe)
        pruning = _prune(job, data)
        _convert(job, data)
        model = _quantize(job)
        _emit(job)
        predictions = _predict(job, data)
        runs = _run(job, data, model, running)
        outputs = _outputs(job, predictions)
        validation = hold_against_reference(runs, model.main.output, outputs["float"])
        evidence = Evidence(
            model_bytes=job.int8_tflite.stat().st_size,
            runs=validation.runs,
            deviations=validation.deviations,
        )
        report = Report(
            model=_name(recipe),
            artifacts=bundle.describe_all(folder),
            comparison=_compare(data, model, validation, outputs),
            pruning=pruning,
            runtimes=_runtime_reports(validation),
            sparsity=SparsityReport(
                float=Sparsity(**keras.call("sparsity")), int8=int8_sparsity(model)
            ),
            targets={target.name: judge(target, evidence) for target in targets},
            notes=(*notes, *validation.notes),
        )
        bundle.write_json(folder / "report.json", report.to_dict())
        artifacts = report.artifacts | {"report.json": bundle.describe(folder / "report.json")}
        bundle.write_json(folder / bundle.MANIFEST, _manifest(recipe, artifacts, inputs, runtimes))
    return report


@dataclass(frozen=True)
class _Job:
    """Files to keep in ``folder``, arrays in ``work``, TensorFlow in ``keras``."""

    recipe: Recipe
    folder: Path
    work: Path
    keras: Worker
    progress: Progress

    @property
    def float_tflite(self) -> Path:
        return self.folder / "float.tflite"

    @property
    def int8_tflite(self) -> Path:
        return self.folder / "int8.tflite"

    def file(self, name: str) -> str:
        """Name the file in which an array goes to a worker, or comes back."""
        return str(self.work / f"{name}.npy")

    def save(self, name: str, array: Array) -> str:
        """Hand an array to a worker."""
        save_array(Path(self.file(name)), array)
        return self.file(name)


@dataclass(frozen=True)
class _Data:
    """The datasets of a recipe, cast to the model's input and checked against its output.

    Interpreters run, and outputs are compared, on ``compared``, which is the test data if there
    are any. ``metric`` measures outputs against ``wanted``; both are None without test labels.
    """

    representative: Dataset
    compared: Dataset
    metric: Metric | None
    wanted: Array | None
    training: Training | None

    @property
    def is_tested(self) -> bool:
        """Whether there are test data, other samples than those of the calibration."""
        return self.compared is not self.representative


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
    recipe = job.recipe
    require_known(recipe.metric)
    if recipe.metric is not None and recipe.test is None and recipe.train is None:
        raise RecipeError(f"metric {recipe.metric!r} needs samples to measure: give --test")
    with job.progress.step("load") as update:
        representative = load_npz(recipe.representative)
        test = load_npz(recipe.test) if recipe.test else None
        train = load_npz(recipe.train) if recipe.train else None
        signature = job.keras.call("load", update=update, model=str(recipe.model))
        spec, output = (
            TensorSpec(**(signature[kind] | {"shape": tuple(signature[kind]["shape"])}))
            for kind in ("input", "output")
        )
        representative = representative.conform(spec)
        job.save("representative", representative.x)
        compared = representative if test is None else test.conform(spec)
        metric = None if test is None else choose(recipe.metric, compared, output)
        return _Data(
            representative=representative,
            compared=compared,
            metric=metric,
            wanted=None if metric is None else metric.reference(compared, output),
            training=_training(recipe.prune, recipe.metric, train.conform(spec), output)
            if recipe.prune and train is not None
            else None,
        )


def _training(
    prune: Prune, metric_name: str | None, train: Dataset, output: TensorSpec
) -> Training:
    metric = choose(metric_name, train, output)
    if metric is None:
        raise RecipeError(
            f"{train.source}: fine-tuning needs labels in 'y', or the metric 'reconstruction-mse'"
        )
    return Training(
        x=train.x, y=metric.reference(train, output), loss=metric.loss, epochs=prune.epochs
    )


def _prune(job: _Job, data: _Data) -> Pruning | None:
    if job.recipe.prune is None:
        return None
    training = data.training
    with job.progress.step("prune") as update:
        done = job.keras.call(
            "prune",
            update=update,
            samples=job.file("representative"),
            sparsity=job.recipe.prune.sparsity,
            training=training
            and {
                "x": job.save("train-x", training.x),
                "y": job.save("train-y", training.y),
                "loss": training.loss.value,
                "epochs": training.epochs,
            },
        )
    return Pruning(**(done | {"left_out": tuple(done["left_out"])}))


def _convert(job: _Job, data: _Data) -> None:
    with job.progress.step("convert") as update:
        job.keras.call(
            "convert",
            update=update,
            sample_shape=data.representative.x.shape[1:],
            float_tflite=str(job.float_tflite),
        )


def _quantize(job: _Job) -> Model:
    with job.progress.step("quantize") as update:
        try:
            job.keras.call(
                "quantize",
                update=update,
                float_tflite=str(job.float_tflite),
                representative=job.file("representative"),
                int8_tflite=str(job.int8_tflite),
            )
        except WorkerCrashError as error:
            main = read_tflite(job.float_tflite.read_bytes()).main
            if any(operator.name == "WHILE" for operator in main.operators):
                raise WorkerCrashError(
                    f"{error}; the model holds a loop, such as a rolled LSTM, GRU or SimpleRNN,"
                    " which the calibrator is known not to survive: build it with unroll=True"
                ) from error
            raise
        model = read_tflite(job.int8_tflite.read_bytes())
        require_full_integer(model)
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
    """Let the Keras models predict, while the interpreters run."""
    x = job.save("compared", data.compared.x)
    stages = ["float", "pruned"] if job.recipe.prune else ["float"]
    return {
        stage: job.keras.start("predict", pruned=stage == "pruned", x=x, outputs=job.file(stage))
        for stage in stages
    }


def _run(job: _Job, data: _Data, model: Model, running: Interpreters) -> dict[str, Run]:
    with job.progress.step("validate") as update:
        return running.run(
            model=job.int8_tflite,
            inputs=quantize(data.compared.x, model.main.input),
            work=job.work,
            update=update,
        )


def _outputs(job: _Job, predictions: dict[str, Future[Any]]) -> dict[str, Array]:
    """Wait for what the Keras models predict."""
    with job.progress.step("compare"):
        for prediction in predictions.values():
            prediction.result()
    return {stage: load_array(Path(job.file(stage))) for stage in predictions}


def _compare(
    data: _Data, model: Model, validation: Validation, outputs: dict[str, Array]
) -> compare.Comparison:
    def score(array: Array) -> compare.Score:
        return compare.score(array, outputs["float"], data.metric, data.wanted)

    return compare.Comparison(
        metric=data.metric.name if data.metric else None,
        data="test" if data.is_tested else "representative",
        samples=len(data.compared),
        float_value=score(outputs["float"]).value,
        pruned=score(outputs["pruned"]) if "pruned" in outputs else None,
        int8={
            name: score(dequantize(run.outputs, model.main.output))
            for name, run in validation.runs.items()
            if run.outputs is not None
        },
    )


def _runtime_reports(validation: Validation) -> dict[str, RuntimeReport]:
    return {
        name: RuntimeReport(
            version=run.version,
            deviation=validation.deviations.get(name),
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
    prune = recipe.prune
    return {
        "schema": 1,
        "artifacts": {name: asdict(artifact) for name, artifact in artifacts.items()},
        "recipe": inputs
        | {
            "prune": prune
            and {"sparsity": prune.sparsity, "epochs": prune.epochs if prune.train else None},
            "targets": list(recipe.targets),
            "metric": recipe.metric,
        },
        "versions": {"edgepack": version("edgepack"), "python": platform.python_version()}
        | {name: version(name) for name in _DISTRIBUTIONS}
        | {runtime.distribution: str(runtime.version()) for runtime in runtimes},
    }


def _describe_inputs(recipe: Recipe) -> dict[str, Any]:
    inputs = {
        "model": recipe.model,
        "representative": recipe.representative,
        "test": recipe.test,
        "train": recipe.train,
    }
    return {
        role: {"name": path.resolve().name} | asdict(bundle.describe(path))
        for role, path in inputs.items()
        if path
    }
