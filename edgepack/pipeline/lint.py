"""The data linter: as a command, and as a step before calibration."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from edgepack.calibration.lint import REPRESENTATIVE, TEST, LintFinding, ModelLint
from edgepack.calibration.lint.data_rules import lint_data
from edgepack.calibration.lint.dataset_profile import find_class_labels, profile_dataset
from edgepack.calibration.lint.model_rules import choose_lint_samples
from edgepack.config.checked_call import takes
from edgepack.config.export import as_export
from edgepack.config.lint import LintConfig
from edgepack.core.codec import restore
from edgepack.core.errors import DatasetError
from edgepack.core.progress import Progress
from edgepack.core.temporary_folders import temporary_folder
from edgepack.pipeline.steps.job import Job, JobData, load_model_and_data, new_job
from edgepack.pipeline.steps.model_process import model_session, require_loadable
from edgepack.pipeline.steps.model_steps import model_name
from edgepack.report.data.lint import LintReport
from edgepack.storage.dataset import Dataset


@takes(LintConfig)
def lint(
    config: LintConfig, progress: Progress | None = None, *, verbose: bool = False
) -> LintReport:
    """Look for likely mistakes in the datasets of a model; writes nothing.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    require_loadable("lint", config.model)
    with (
        temporary_folder() as work,
        model_session(config.source, work, verbose=verbose) as session,
    ):
        settings = as_export(config, output=work)
        job = new_job(settings, work, work, session, progress, verbose=verbose)
        return run_linter(job, load_model_and_data(job))


def lint_findings(job: Job, data: JobData) -> tuple[LintFinding, ...]:
    """Return the linter's findings.

    Raises :class:`DatasetError` for a finding if the settings are strict.
    """
    findings = run_linter(job, data).findings
    if findings and job.config.strict:
        more = f" (and {len(findings) - 1} more: see edgepack lint)" if len(findings) > 1 else ""
        raise DatasetError(f"{findings[0]}{more}")
    return findings


def run_linter(job: Job, data: JobData) -> LintReport:
    """Apply every rule: data rules in this process, model rules in the TensorFlow process."""
    datasets = {}
    if job.config.representative is not None:
        datasets[REPRESENTATIVE] = data.representative
    if data.is_tested:
        datasets[TEST] = data.evaluation_data
    with job.progress.step("lint"):
        pending = [_start_model_rules(job, data, *each) for each in datasets.items()]
        profiles = {
            role: profile_dataset(role, dataset, data.signature)
            for role, dataset in datasets.items()
        }
        findings = lint_data(*profiles.values())
        results = [restore(ModelLint, future.result()) for future in pending]
    model_findings = [finding for result in results for finding in result.findings]
    return LintReport(
        model=model_name(job.config),
        samples={role: profiled.samples for role, profiled in profiles.items()},
        witnesses={role: result.witnesses for role, result in zip(datasets, results, strict=True)},
        findings=(*model_findings, *findings),
    )


def _start_model_rules(job: Job, data: JobData, role: str, dataset: Dataset) -> Future[Any]:
    """Start the model rules on some samples of a dataset, in the TensorFlow process."""
    inputs, chosen = choose_lint_samples(dataset)
    labels = find_class_labels(dataset, data.signature)
    stem = role.replace(" ", "-")
    return job.session.start(
        "lint",
        role=role,
        inputs=job.save(f"{stem}-lint-inputs", inputs),
        labels=job.save(
            f"{stem}-lint-labels", {name: array[chosen] for name, array in labels.items()}
        ),
        classes=list(dataset.classes),
    )
