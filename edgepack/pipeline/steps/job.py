"""What a pipeline works with: the model in its worker process, and the data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgepack.calibration.activations.observers import observer
from edgepack.calibration.activations.ranges import read_entries
from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.budgets import Budgets
from edgepack.config.export import DEFAULT_OBSERVER, DISTILLATION, Recipe
from edgepack.config.project_file import read_project_file
from edgepack.config.quantization import FLOAT_TFLITE, Quantization, tflite_name
from edgepack.core.codec import restore
from edgepack.core.errors import ConfigError
from edgepack.core.progress import Progress
from edgepack.core.signature import Loaded, Signature
from edgepack.devices.scheme_support import why_unsupported
from edgepack.metrics import Measure, choose_measures, require_known_metric, training_measures
from edgepack.pipeline.steps.check import budgets_of
from edgepack.runtimes import REFERENCE, Runtime
from edgepack.runtimes.installed import installed, missing, require_any, runtimes_named
from edgepack.storage.arrays import Arrays, save_arrays
from edgepack.storage.dataset import Dataset, require_same_classes
from edgepack.workers.client import Worker


@dataclass(frozen=True)
class Job:
    """Files to keep in ``folder``, arrays in ``work``, TensorFlow in ``session``.

    The session writes in ``own`` and nowhere else.
    """

    recipe: Recipe
    folder: Path
    work: Path
    own: Path
    session: Worker
    progress: Progress
    verbose: bool = False

    @property
    def float_tflite(self) -> Path:
        """The float model."""
        return self.folder / FLOAT_TFLITE

    @property
    def quantized_tflite(self) -> Path:
        """The quantized model, named by its scheme."""
        return self.folder / tflite_name(self.recipe.quantization.scheme)

    @property
    def calibrated_tflite(self) -> Path:
        """The float model with the ranges of its activations."""
        return self.work / "calibrated.tflite"

    def save(self, name: str, arrays: Arrays) -> dict[str, str]:
        """Hand arrays to a worker: the paths of their files."""
        return save_arrays(self.work / name, arrays)


@dataclass(frozen=True)
class JobData:
    """The datasets of a recipe, cast to the model's inputs and checked against its outputs.

    ``runtime`` is what runs the float model; ``representative`` are the test data where the scheme
    needs no others. Interpreters run, and outputs are compared, on ``compared``: the test data if
    there are any, which ``is_tested`` tells. ``measures`` has an entry for each output that there
    are labels for, ``taught`` for each output that fine-tuning has labels for in ``train``.
    ``budgets`` are those of the project file, by its name. ``notes`` is what there is to say about
    reading them.
    """

    signature: Signature
    runtime: str
    representative: Dataset
    compared: Dataset
    is_tested: bool
    measures: dict[str, Measure]
    train: Dataset | None
    taught: dict[str, Measure]
    budgets: dict[str, Budgets]
    notes: tuple[str, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the inputs, samples left out."""
        return [array.shape[1:] for array in self.representative.inputs.values()]


def available(
    names: Collection[str], quantization: Quantization
) -> tuple[list[Runtime], tuple[str, ...]]:
    """Find runtimes and the reference kernels, and say which are not to be had here.

    The reference kernels are left out where they do not run the quantization.
    """
    wanted = runtimes_named(names)
    require_any(wanted)
    why = why_unsupported(quantization, REFERENCE.name)
    if why is None:
        wanted.insert(0, REFERENCE)
        return installed(wanted), missing(wanted)
    note = f"nothing was compared with the reference kernels of tflite-runtime: {why}"
    return installed(wanted), (*missing(wanted), note)


def require_data(recipe: Recipe) -> None:
    """Raise :class:`ConfigError` without the data that the scheme needs."""
    scheme, needs_ranges = recipe.quantization.scheme, recipe.quantization.needs_ranges
    if recipe.representative is None and recipe.ranges is None and needs_ranges:
        raise ConfigError(
            f"scheme {scheme} needs the ranges of activations: give --representative, or --ranges"
        )
    if recipe.ranges and recipe.observer != DEFAULT_OBSERVER:
        raise ConfigError(
            f"observer {recipe.observer!r}: has nothing to choose, since --ranges are given; leave"
            " one of the two out"
        )
    if recipe.observer != DEFAULT_OBSERVER and not needs_ranges:
        raise ConfigError(
            f"observer {recipe.observer!r}: scheme {scheme} has no ranges to choose; leave it out"
        )
    if recipe.ranges and not needs_ranges:
        raise ConfigError(f"scheme {scheme} has no use for ranges: leave --ranges out")
    if recipe.representative is None and recipe.test is None:
        raise ConfigError(
            f"scheme {scheme} needs samples to compare float with: give --test or --representative"
        )


def load(job: Job) -> JobData:
    """Load the model and the datasets, and check that they fit."""
    recipe = job.recipe
    require_known_metric(recipe.metric)
    observer(recipe.observer)
    if recipe.ranges:
        read_entries(recipe.ranges)
    if recipe.metric is not None and recipe.test is None and recipe.train is None:
        raise ConfigError(f"metric {recipe.metric!r} needs samples to measure: give --test")
    project_file = read_project_file(recipe.project_file)
    wanted = {
        "representative": recipe.representative,
        "test": recipe.test,
        "train": recipe.train,
    }
    given = {role: data for role, data in wanted.items() if data is not None}
    with (
        job.progress.step("load") as update,
        dataset_reader(given.values(), project_file, verbose=job.verbose) as reading,
    ):
        loaded = restore(Loaded, job.session.call("load", update=update, strategy=recipe.strategy))
        signature = loaded.signature
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
    test, train = datasets.get("test"), datasets.get("train")
    representative = datasets.get("representative", test)
    assert representative is not None  # noqa: S101 (a recipe has one of them)
    require_same_classes(datasets.values())
    return JobData(
        signature=signature,
        runtime=loaded.runtime,
        representative=representative,
        compared=test or representative,
        is_tested=test is not None,
        measures=choose_measures(recipe.metric, test, signature) if test else {},
        train=train,
        taught=_taught(recipe, train, signature) if train else {},
        budgets=budgets_of(project_file),
        notes=tuple(note for each in spooled.values() for note in each.notes),
    )


def _taught(recipe: Recipe, train: Dataset, signature: Signature) -> dict[str, Measure]:
    if all(each.loss == DISTILLATION for each in recipe.fine_tunings):
        return {}  # the model's own outputs are learnt
    taught = training_measures(recipe.metric, train, signature)
    if not taught:
        raise ConfigError(
            f"{train.source}: fine-tuning needs labels in 'y', or the metric 'reconstruction-mse',"
            f" or the loss {DISTILLATION!r}, which needs none"
        )
    return taught
