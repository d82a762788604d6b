"""The linter: alone, and as a step before the data calibrate anything."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from edgepack.calibration.lint import REPRESENTATIVE, TEST, ModelLint
from edgepack.calibration.lint.data_rules import lint_data
from edgepack.calibration.lint.dataset_profile import labels_as_classes, profile
from edgepack.calibration.lint.model_rules import choose_lint_samples
from edgepack.config.export import Recipe
from edgepack.core.codec import restore
from edgepack.core.errors import DatasetError
from edgepack.core.progress import Progress, Silent
from edgepack.core.temporary_folders import temporary
from edgepack.load.formats import detect_format
from edgepack.pipeline.steps.job import Job, JobData, load
from edgepack.pipeline.steps.model_process import model_session, own_folder
from edgepack.pipeline.steps.model_steps import model_name
from edgepack.report.data.lint import LintReport
from edgepack.storage.dataset import Dataset


def lint(recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False) -> LintReport:
    """Look for what is likely wrong with the datasets of a recipe; nothing is written.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    detect_format(recipe.model)
    with (
        temporary() as work,
        model_session(recipe.source, work, verbose=verbose) as session,
    ):
        job = Job(recipe, work, work, own_folder(work), session, progress or Silent(), verbose)
        return find_lint(job, load(job))


def warnings(job: Job, data: JobData) -> tuple[str, ...]:
    """Say what the linter finds, for a report.

    Raises :class:`DatasetError` instead if the recipe is strict.
    """
    findings = find_lint(job, data).findings
    if findings and job.recipe.strict:
        more = f" (and {len(findings) - 1} more: see edgepack lint)" if len(findings) > 1 else ""
        raise DatasetError(f"{findings[0]}{more}")
    return tuple(f"warning: {finding}" for finding in findings)


def find_lint(job: Job, data: JobData) -> LintReport:
    """Apply every rule: those on data here, those on the model where TensorFlow runs."""
    datasets = {}
    if job.recipe.representative is not None:
        datasets[REPRESENTATIVE] = data.representative
    if data.is_tested:
        datasets[TEST] = data.compared
    with job.progress.step("lint"):
        asked = [_ask(job, data, role, dataset) for role, dataset in datasets.items()]
        profiles = {
            role: profile(role, dataset, data.signature) for role, dataset in datasets.items()
        }
        findings = lint_data(*profiles.values())
        answers = [restore(ModelLint, answer.result()) for answer in asked]
    told = [finding for answer in answers for finding in answer.findings]
    return LintReport(
        model=model_name(job.recipe),
        samples={role: known.samples for role, known in profiles.items()},
        witnesses={role: answer.witnesses for role, answer in zip(datasets, answers, strict=True)},
        findings=(*told, *findings),
    )


def _ask(job: Job, data: JobData, role: str, dataset: Dataset) -> Future[Any]:
    """Let TensorFlow hold some samples of a dataset against the model."""
    inputs, chosen = choose_lint_samples(dataset)
    labels = labels_as_classes(dataset, data.signature)
    stem = role.replace(" ", "-")
    return job.session.start(
        "lint",
        role=role,
        inputs=job.save(f"{stem}-lint-inputs", inputs),
        labels=job.save(
            f"{stem}-lint-labels", {name: array[chosen] for name, array in labels.items()}
        ),
    )
