"""The setup of a comparison: the models, the samples, and the measures of each output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.budgets import Budgets, share_not_shown
from edgepack.config.compare import CompareConfig
from edgepack.config.export import ExportConfig
from edgepack.config.labels import find_labelled_output, read_labels, require_class_order
from edgepack.config.project_file import ProjectFile, read_project_file
from edgepack.core.progress import Progress
from edgepack.core.signature import Signature
from edgepack.devices.target import Target, load_targets
from edgepack.evaluation.per_class import MAX_CLASSES
from edgepack.metrics import (
    Measure,
    choose_measures,
    class_count,
    label_notes,
    metrics_to_report,
    require_known_metric,
)
from edgepack.pipeline.comparison.cached_runs import Samples
from edgepack.pipeline.comparison.candidates import Candidate, read_candidates
from edgepack.pipeline.comparison.reference import ReferenceModel
from edgepack.pipeline.steps.check import (
    COMMAND,
    project_file_budgets,
    require_drop_limit,
    require_measurable,
    target_budgets,
)
from edgepack.pipeline.steps.job import Job, JobData, new_job
from edgepack.runtimes import Runtime
from edgepack.runtimes.installed import (
    installed_runtimes,
    missing_packages,
    require_any_installed,
    runtimes_named,
)
from edgepack.runtimes.processes import Interpreters, interpreters
from edgepack.storage.cache import Cache
from edgepack.storage.dataset import Dataset


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonSetup:
    """Everything that a comparison works with.

    ``measures`` are keyed by output name, the metric of the verdict first; outputs without labels
    have none. ``classes`` are the class names, by the names of the outputs that have any.
    ``budgets`` limit the loss, by their source. ``work`` is a folder for temporary files.
    ``running`` starts interpreters: the ``runtimes``, which are those of the ``targets``, and any
    other. ``notes`` say what is missing.
    """

    config: CompareConfig
    cache: Cache
    work: Path
    progress: Progress
    verbose: bool
    targets: Sequence[Target]
    runtimes: Sequence[Runtime]
    running: Interpreters
    float_model: ReferenceModel
    candidates: Sequence[Candidate]
    samples: Samples
    measures: dict[str, list[Measure]]
    classes: dict[str, tuple[str, ...]]
    budgets: dict[str, Budgets]
    notes: tuple[str, ...]

    @property
    def data(self) -> JobData:
        """The test data in the form that export steps expect; it also serves for calibration."""
        test = self.samples.data
        return JobData(
            signature=self.float_model.signature,
            runtime=self.float_model.runtime,
            representative=test,
            evaluation_data=test,
            is_tested=True,
            measures={name: first for name, (first, *_) in self.measures.items()},
            train=None,
            training_targets={},
            budgets={},
            notes=(),
        )

    def job(self, config: ExportConfig) -> Job:
        """Return a job for export steps on the float model, which is loaded if necessary."""
        session = self.float_model.session()
        return new_job(config, self.work, self.work, session, verbose=self.verbose)


def read_setup(
    config: CompareConfig,
    cache: Cache,
    work: Path,
    stack: ExitStack,
    progress: Progress,
    *,
    verbose: bool,
) -> ComparisonSetup:
    """Read the models, the data and the targets of a comparison; ``stack`` closes its workers.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    require_known_metric(config.metric)
    project_file = read_project_file(config.project_file)
    labels = read_labels(config.labels) if config.labels else ()
    targets = load_targets(config.targets)
    require_drop_limit({COMMAND: config.budgets} | project_file_budgets(project_file), targets)
    required = runtimes_named({name for target in targets for name in target.interpreters})
    require_any_installed(required)
    runtimes = installed_runtimes(required)
    running = stack.enter_context(interpreters(verbose=verbose))
    with (
        progress.step("load") as update,
        dataset_reader([config.test], project_file, verbose=verbose) as reader,
    ):
        float_model = ReferenceModel(config.source, cache, stack, work, verbose=verbose)
        signature = float_model.signature
        candidates = read_candidates(config.candidates, config.model, signature)
        stored = reader.read(config.test, signature, work / "test", update=update)
    data = stored.dataset()
    measures = _measures(config, data, signature)
    return ComparisonSetup(
        config=config,
        cache=cache,
        work=work,
        progress=progress,
        verbose=verbose,
        targets=targets,
        runtimes=runtimes,
        running=running,
        float_model=float_model,
        candidates=candidates,
        samples=Samples(data=data),
        measures=measures,
        classes=_classes(config, labels, data, signature),
        budgets=_budgets(config, project_file, targets, measures),
        notes=(
            *missing_packages(required),
            *stored.notes,
            *label_notes(
                {name: first for name, (first, *_) in measures.items()}, data, signature, "test"
            ),
        ),
    )


def _measures(
    config: CompareConfig, data: Dataset, signature: Signature
) -> dict[str, list[Measure]]:
    """Choose the measures of each output: the metric of the verdict first, then its family."""
    chosen = choose_measures(config.metric, data, signature)
    return {
        output.name: metrics_to_report(chosen[output.name], data, output)
        for output in signature.outputs
        if output.name in chosen
    }


def _budgets(
    config: CompareConfig,
    project_file: ProjectFile,
    targets: Sequence[Target],
    measures: Mapping[str, Sequence[Measure]],
) -> dict[str, Budgets]:
    """Return the budgets by source: of the others, those that are not configured.

    Raises :class:`~edgepack.core.errors.ConfigError` for one that nothing can be measured for.
    """
    configured = dict.fromkeys(config.budgets.given)
    if config.budgets.not_shown:
        configured["not_shown"] = config.budgets.not_shown  # of the others' limits, too
    others = project_file_budgets(project_file)
    others |= target_budgets(targets)
    budgets = {COMMAND: config.budgets}
    budgets |= {source: replace(each, **configured) for source, each in others.items()}
    require_measurable(budgets, (), [first for first, *_ in measures.values()], is_tested=True)
    return {source: each for source, each in share_not_shown(budgets).items() if each.limits_loss}


def _classes(
    config: CompareConfig, labels: Sequence[str], data: Dataset, signature: Signature
) -> dict[str, tuple[str, ...]]:
    """Name the classes of outputs: after the labels file, else the dataset's folders, else numbers.

    Outputs with more than :data:`MAX_CLASSES` classes get no numbers.
    """
    outputs = signature.outputs
    if config.labels:
        require_class_order(config.labels, labels, data.classes)
    labelled = find_labelled_output(config.labels, labels, outputs) if config.labels else None
    classes = {}
    for index, output in enumerate(outputs):
        if index == labelled:
            classes[output.name] = tuple(labels)
        elif output.shape and output.shape[-1]:
            count = class_count(output.shape[-1])
            if len(data.classes) == count:
                classes[output.name] = data.classes
            elif count <= MAX_CLASSES:
                classes[output.name] = tuple(str(number) for number in range(count))
    return classes
