"""What a comparison works with: the models, the samples, and what outputs are held against."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgepack.budgets import Budgets
from edgepack.cache import Cache
from edgepack.calibration.reader import reader
from edgepack.dataset import Dataset
from edgepack.errors import MissingToolError
from edgepack.evaluation.classes import MOST_CLASSES
from edgepack.labels import labelled_output, read_labels
from edgepack.metrics import Measure, class_count, companions, measures, require_known
from edgepack.pipeline.answers import Samples
from edgepack.pipeline.contestants import Contestant, read_contestants
from edgepack.pipeline.evidence import budgets_of, require_measurable
from edgepack.pipeline.float_model import FloatModel
from edgepack.progress import Progress
from edgepack.recipe_file import RecipeFile, read_recipe_file
from edgepack.runtimes import RUNTIMES, Runtime
from edgepack.target import Target, load_targets
from edgepack.trial import Trial
from edgepack.types import Signature


@dataclass(frozen=True, kw_only=True, eq=False)
class Contest:
    """A trial that is going on.

    ``measures`` tells how each output is measured, by name, the metric of the verdict first;
    outputs without labels are left out. ``classes`` has the names of the classes of outputs that
    have any. ``max_drop`` is what may be lost. ``work`` is a folder for what does not last.
    ``notes`` says what is left out.
    """

    trial: Trial
    cache: Cache
    work: Path
    progress: Progress
    verbose: bool
    targets: Sequence[Target]
    runtimes: Sequence[Runtime]
    floating: FloatModel
    contestants: Sequence[Contestant]
    samples: Samples
    measures: dict[str, list[Measure]]
    classes: dict[str, tuple[str, ...]]
    max_drop: float | None
    notes: tuple[str, ...]


def read_contest(
    trial: Trial, cache: Cache, work: Path, stack: ExitStack, progress: Progress, *, verbose: bool
) -> Contest:
    """Read all that a trial names; workers that it takes are left to ``stack``.

    Raises an :class:`~edgepack.errors.EdgepackError` for what a user can cause or cure.
    """
    require_known(trial.metric)
    recipe_file = read_recipe_file(trial.recipe_file)
    labels = read_labels(trial.labels) if trial.labels else ()
    targets = load_targets(trial.targets)
    runtimes, notes = _runtimes(targets)
    with (
        progress.step("load") as update,
        reader([trial.test], recipe_file, verbose=verbose) as reading,
    ):
        floating = FloatModel(trial.source, cache, stack, work, verbose=verbose)
        signature = floating.signature
        contestants = read_contestants(trial.candidates, trial.model, signature)
        spooled = reading.read(trial.test, signature, work / "test", update=update)
    data = spooled.dataset()
    found = _measures(trial, data, signature)
    return Contest(
        trial=trial,
        cache=cache,
        work=work,
        progress=progress,
        verbose=verbose,
        targets=targets,
        runtimes=runtimes,
        floating=floating,
        contestants=contestants,
        samples=Samples(data=data),
        measures=found,
        classes=_classes(trial, labels, data, signature),
        max_drop=_max_drop(trial, recipe_file, targets, is_measured=bool(found)),
        notes=(*notes, *spooled.notes),
    )


def _runtimes(targets: Sequence[Target]) -> tuple[list[Runtime], tuple[str, ...]]:
    """Find the interpreters of the targets, and say which are not to be had here."""
    wanted = {name for target in targets for name in target.interpreters}
    known = [runtime for name, runtime in RUNTIMES.items() if name in wanted]
    notes = tuple(dict.fromkeys(why for runtime in known if (why := runtime.missing())))
    found = [runtime for runtime in known if runtime.missing() is None]
    if not found:
        raise MissingToolError(f"none of the targets' interpreters is here: {'; '.join(notes)}")
    return found, notes


def _measures(trial: Trial, data: Dataset, signature: Signature) -> dict[str, list[Measure]]:
    """Choose how each output is measured: the metric of the verdict first, then its family."""
    chosen = measures(trial.metric, data, signature)
    return {
        output.name: companions(chosen[output.name], data, output)
        for output in signature.outputs
        if output.name in chosen
    }


def _max_drop(
    trial: Trial, recipe_file: RecipeFile, targets: Sequence[Target], *, is_measured: bool
) -> float | None:
    """Find what may be lost: as the trial says, or else the least that a budget allows.

    Raises :class:`~edgepack.errors.RecipeError` if there is nothing to measure that with.
    """
    own = Budgets(max_drop=trial.max_drop)
    require_measurable(
        {"the command": own} | budgets_of(recipe_file), targets, measured=is_measured
    )
    if trial.max_drop is not None:
        return trial.max_drop
    budgets = (recipe_file.budgets, *(target.budgets for target in targets))
    return min((each.max_drop for each in budgets if each.max_drop is not None), default=None)


def _classes(
    trial: Trial, labels: Sequence[str], data: Dataset, signature: Signature
) -> dict[str, tuple[str, ...]]:
    """Name the classes of the outputs that have any: as the user does, as folders do, by number."""
    outputs = signature.outputs
    named = labelled_output(trial.labels, labels, outputs) if trial.labels else None
    found = {}
    for place, output in enumerate(outputs):
        if place == named:
            found[output.name] = tuple(labels)
        elif output.shape and output.shape[-1]:
            count = class_count(output.shape[-1])
            if len(data.classes) == count:
                found[output.name] = data.classes
            elif count <= MOST_CLASSES:
                found[output.name] = tuple(str(number) for number in range(count))
    return found
