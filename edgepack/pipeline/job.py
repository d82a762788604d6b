"""What a pipeline works with: the model in its worker process, and the data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgepack.arrays import Arrays, save_arrays
from edgepack.calibration.dataset import Dataset, load_npz
from edgepack.errors import MissingToolError, RecipeError
from edgepack.metrics import Measure, measures, require_known
from edgepack.progress import Progress
from edgepack.recipe import DISTILLATION, Recipe, as_json
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.schemes import Quantization
from edgepack.support import unsupported
from edgepack.types import Signature, TensorSpec
from edgepack.worker import Worker


@dataclass(frozen=True)
class Job:
    """Files to keep in ``folder``, arrays in ``work``, TensorFlow in ``session``."""

    recipe: Recipe
    folder: Path
    work: Path
    session: Worker
    progress: Progress

    @property
    def float_tflite(self) -> Path:
        """The float model."""
        return self.folder / "float.tflite"

    @property
    def quantized_tflite(self) -> Path:
        """The quantized model, named by its scheme."""
        return self.folder / f"{self.recipe.quantization.scheme}.tflite"

    def save(self, name: str, arrays: Arrays) -> dict[str, str]:
        """Hand arrays to a worker: the paths of their files."""
        return save_arrays(self.work / name, arrays)


@dataclass(frozen=True)
class Data:
    """The datasets of a recipe, cast to the model's inputs and checked against its outputs.

    ``runtime`` is what runs the float model; ``representative`` are the test data where the scheme
    needs no others, and ``representative_files`` has them for workers. Interpreters run, and
    outputs are compared, on ``compared``: the test data if there are any, which ``is_tested``
    tells. ``measures`` has an entry for each output that there are labels
    for, ``taught`` for each output that fine-tuning has labels for in ``train``.
    """

    signature: Signature
    runtime: str
    representative: Dataset
    representative_files: dict[str, str]
    compared: Dataset
    is_tested: bool
    measures: dict[str, Measure]
    train: Dataset | None
    taught: dict[str, Measure]

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
    wanted = [runtime for name, runtime in RUNTIMES.items() if name in names]
    why = unsupported(quantization, REFERENCE.name)
    if why is None:
        wanted.insert(0, REFERENCE)
    found = [runtime for runtime in wanted if runtime.missing() is None]
    notes = list(dict.fromkeys(reason for runtime in wanted if (reason := runtime.missing())))
    if not {runtime.name for runtime in found} & set(names):
        raise MissingToolError(f"none of the targets' interpreters is here: {'; '.join(notes)}")
    if why is not None:
        notes.append(f"nothing was compared with the reference kernels of tflite-runtime: {why}")
    return found, tuple(notes)


def load(job: Job) -> Data:
    """Load the model and the datasets, and check that they fit."""
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
            source=as_json(recipe.source),
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
        test = archives[recipe.test].dataset(signature) if recipe.test else None
        representative = (
            archives[recipe.representative].dataset(signature) if recipe.representative else test
        )
        assert representative is not None  # noqa: S101 (a recipe has one of them)
        train = archives[fine_tune.train].dataset(signature) if fine_tune else None
        return Data(
            signature=signature,
            runtime=loaded["runtime"],
            representative=representative,
            representative_files=job.save("representative", representative.inputs),
            compared=test or representative,
            is_tested=test is not None,
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
