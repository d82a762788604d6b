"""What a comparison works with: the models, the samples, and what outputs are held against."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.budgets import Budgets
from edgepack.config.compare import CompareConfig
from edgepack.config.export import Recipe
from edgepack.config.labels import output_with_labels, read_labels
from edgepack.config.project_file import ProjectFile, read_project_file
from edgepack.core.progress import Progress, Silent
from edgepack.core.signature import Signature
from edgepack.devices.target import Target, load_targets
from edgepack.evaluation.per_class import MOST_CLASSES
from edgepack.metrics import (
    Measure,
    choose_measures,
    class_count,
    metrics_to_report,
    require_known_metric,
)
from edgepack.pipeline.comparison.cached_runs import Samples
from edgepack.pipeline.comparison.candidates import Candidate, read_candidates
from edgepack.pipeline.comparison.reference import ReferenceModel
from edgepack.pipeline.steps.check import budgets_of, require_measurable
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.model_process import own_folder
from edgepack.runtimes import Runtime
from edgepack.runtimes.installed import installed, missing, require_any, runtimes_named
from edgepack.runtimes.processes import Interpreters, interpreters
from edgepack.storage.cache import Cache
from edgepack.storage.dataset import Dataset


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonSetup:
    """A trial that is going on.

    ``measures`` tells how each output is measured, by name, the metric of the verdict first;
    outputs without labels are left out. ``classes`` has the names of the classes of outputs that
    have any. ``max_drop`` is what may be lost. ``work`` is a folder for what does not last.
    ``running`` takes the ``runtimes``, which are those of the ``targets``, and others.
    ``notes`` says what is left out.
    """

    trial: CompareConfig
    cache: Cache
    work: Path
    progress: Progress
    verbose: bool
    targets: Sequence[Target]
    runtimes: Sequence[Runtime]
    running: Interpreters
    floating: ReferenceModel
    contestants: Sequence[Candidate]
    samples: Samples
    measures: dict[str, list[Measure]]
    classes: dict[str, tuple[str, ...]]
    max_drop: float | None
    notes: tuple[str, ...]

    @property
    def data(self) -> JobData:
        """The test data as the steps of an export take them, which here calibrate too."""
        test = self.samples.data
        return JobData(
            signature=self.floating.signature,
            runtime=self.floating.runtime,
            representative=test,
            compared=test,
            is_tested=True,
            measures={name: first for name, (first, *_) in self.measures.items()},
            train=None,
            taught={},
            budgets={},
            notes=(),
        )

    def job(self, recipe: Recipe) -> Job:
        """Give the steps of an export the float model, which TensorFlow loads if it has not yet."""
        return Job(
            recipe=recipe,
            folder=self.work,
            work=self.work,
            own=own_folder(self.work),
            session=self.floating.session(),
            progress=Silent(),
            verbose=self.verbose,
        )


def read_setup(
    trial: CompareConfig,
    cache: Cache,
    work: Path,
    stack: ExitStack,
    progress: Progress,
    *,
    verbose: bool,
) -> ComparisonSetup:
    """Read all that a trial names; workers that it takes are left to ``stack``.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    require_known_metric(trial.metric)
    project_file = read_project_file(trial.project_file)
    labels = read_labels(trial.labels) if trial.labels else ()
    targets = load_targets(trial.targets)
    wanted = runtimes_named({name for target in targets for name in target.interpreters})
    require_any(wanted)
    runtimes = installed(wanted)
    running = stack.enter_context(interpreters(verbose=verbose))
    with (
        progress.step("load") as update,
        dataset_reader([trial.test], project_file, verbose=verbose) as reading,
    ):
        floating = ReferenceModel(trial.source, cache, stack, work, verbose=verbose)
        signature = floating.signature
        contestants = read_candidates(trial.candidates, trial.model, signature)
        spooled = reading.read(trial.test, signature, work / "test", update=update)
    data = spooled.dataset()
    found = _measures(trial, data, signature)
    return ComparisonSetup(
        trial=trial,
        cache=cache,
        work=work,
        progress=progress,
        verbose=verbose,
        targets=targets,
        runtimes=runtimes,
        running=running,
        floating=floating,
        contestants=contestants,
        samples=Samples(data=data),
        measures=found,
        classes=_classes(trial, labels, data, signature),
        max_drop=_max_drop(trial, project_file, targets, is_measured=bool(found)),
        notes=(*missing(wanted), *spooled.notes),
    )


def _measures(
    trial: CompareConfig, data: Dataset, signature: Signature
) -> dict[str, list[Measure]]:
    """Choose how each output is measured: the metric of the verdict first, then its family."""
    chosen = choose_measures(trial.metric, data, signature)
    return {
        output.name: metrics_to_report(chosen[output.name], data, output)
        for output in signature.outputs
        if output.name in chosen
    }


def _max_drop(
    trial: CompareConfig, project_file: ProjectFile, targets: Sequence[Target], *, is_measured: bool
) -> float | None:
    """Find what may be lost: as the trial says, or else the least that a budget allows.

    Raises :class:`~edgepack.core.errors.ConfigError` if there is nothing to measure that with.
    """
    own = Budgets(max_drop=trial.max_drop)
    require_measurable(
        {"the command": own} | budgets_of(project_file), targets, measured=is_measured
    )
    if trial.max_drop is not None:
        return trial.max_drop
    budgets = (project_file.budgets, *(target.budgets for target in targets))
    return min((each.max_drop for each in budgets if each.max_drop is not None), default=None)


def _classes(
    trial: CompareConfig, labels: Sequence[str], data: Dataset, signature: Signature
) -> dict[str, tuple[str, ...]]:
    """Name the classes of the outputs that have any: as the user does, as folders do, by number."""
    outputs = signature.outputs
    named = output_with_labels(trial.labels, labels, outputs) if trial.labels else None
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
