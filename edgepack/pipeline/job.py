"""What a pipeline works with: the model in its worker process, and the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgepack.arrays import Arrays, save_arrays
from edgepack.calibration.dataset import Dataset, require_same_classes
from edgepack.calibration.observers import observer
from edgepack.calibration.ranges import read_entries
from edgepack.calibration.reader import reader
from edgepack.errors import MissingToolError, RecipeError
from edgepack.metrics import Measure, measures, require_known
from edgepack.progress import Progress
from edgepack.recipe import DISTILLATION, Recipe, as_json
from edgepack.recipe_file import read_recipe_file
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.target import Target
from edgepack.types import Signature
from edgepack.worker import Worker


@dataclass(frozen=True)
class Job:
    """Files to keep in ``folder``, arrays in ``work``, TensorFlow in ``session``."""

    recipe: Recipe
    folder: Path
    work: Path
    session: Worker
    progress: Progress
    verbose: bool = False

    @property
    def float_tflite(self) -> Path:
        """The float model."""
        return self.folder / "float.tflite"

    @property
    def int8_tflite(self) -> Path:
        """The quantized model."""
        return self.folder / "int8.tflite"

    @property
    def calibrated_tflite(self) -> Path:
        """The float model with the ranges of its activations."""
        return self.work / "calibrated.tflite"

    def save(self, name: str, arrays: Arrays) -> dict[str, str]:
        """Hand arrays to a worker: the paths of their files."""
        return save_arrays(self.work / name, arrays)


@dataclass(frozen=True)
class Data:
    """The datasets of a recipe, cast to the model's inputs and checked against its outputs.

    ``runtime`` is what runs the float model. Interpreters run, and outputs are compared, on
    ``compared``, which is the test data if there are any. ``measures`` has an entry for each
    output that there are labels for, ``taught`` for each output that fine-tuning has labels for in
    ``train``. ``notes`` is what there is to say about reading them.
    """

    signature: Signature
    runtime: str
    representative: Dataset
    compared: Dataset
    measures: dict[str, Measure]
    train: Dataset | None
    taught: dict[str, Measure]
    notes: tuple[str, ...]

    @property
    def is_tested(self) -> bool:
        """Whether there are test data, other samples than those of the calibration."""
        return self.compared is not self.representative

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the inputs, samples left out."""
        return [array.shape[1:] for array in self.representative.inputs.values()]


def available(targets: Iterable[Target]) -> tuple[list[Runtime], tuple[str, ...]]:
    """Find the runtimes that the targets need, and say which are not to be had here."""
    names = {name for target in targets for name in target.interpreters}
    wanted = [REFERENCE, *(runtime for name, runtime in RUNTIMES.items() if name in names)]
    found = [runtime for runtime in wanted if runtime.missing() is None]
    notes = tuple(dict.fromkeys(reason for runtime in wanted if (reason := runtime.missing())))
    if not names & {runtime.name for runtime in found}:
        raise MissingToolError(f"none of the targets' interpreters is here: {'; '.join(notes)}")
    return found, notes


def load(job: Job) -> Data:
    """Load the model and the datasets, and check that they fit."""
    recipe, fine_tune = job.recipe, job.recipe.fine_tune
    require_known(recipe.metric)
    observer(recipe.observer)
    if recipe.ranges:
        read_entries(recipe.ranges)
    if recipe.metric is not None and recipe.test is None and fine_tune is None:
        raise RecipeError(f"metric {recipe.metric!r} needs samples to measure: give --test")
    recipe_file = read_recipe_file(recipe.recipe_file)
    wanted = {
        "representative": recipe.representative,
        "test": recipe.test,
        "train": fine_tune and fine_tune.train,
    }
    given = {role: data for role, data in wanted.items() if data is not None}
    with (
        job.progress.step("load") as update,
        reader(given.values(), recipe_file, verbose=job.verbose) as reading,
    ):
        loaded = job.session.call(
            "load",
            update=update,
            source=as_json(recipe.source),
            strategy=fine_tune and fine_tune.strategy,
        )
        signature = Signature.of(loaded)
        spooled = {
            role: reading.read(
                data,
                signature,
                job.work / role,
                samples=recipe.samples if role == "representative" else None,
                seed=recipe.seed,
                update=update,
            )
            for role, data in given.items()
        }
    datasets = {role: each.dataset() for role, each in spooled.items()}
    representative = datasets["representative"]
    test, train = datasets.get("test"), datasets.get("train")
    require_same_classes(datasets.values())
    return Data(
        signature=signature,
        runtime=loaded["runtime"],
        representative=representative,
        compared=test or representative,
        measures=measures(recipe.metric, test, signature) if test else {},
        train=train,
        taught=_taught(recipe, train, signature) if train else {},
        notes=tuple(note for each in spooled.values() for note in each.notes),
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
