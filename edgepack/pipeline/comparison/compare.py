"""The comparison of a float model with others that were made of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgepack.config.compare import CompareConfig
from edgepack.core.errors import ModelError
from edgepack.core.progress import Progress, Silent
from edgepack.core.temporary_folders import TemporaryFolder, temporary
from edgepack.devices.target import target_file
from edgepack.pipeline.comparison.cached_runs import RunRequest, RuntimeOutputs, run_cached
from edgepack.pipeline.comparison.details import CandidateDetails, weight_mismatch_notes
from edgepack.pipeline.comparison.folds import cross_validate, plan_folds, split_folds
from edgepack.pipeline.comparison.setup import ComparisonSetup, read_setup
from edgepack.pipeline.comparison.show_samples import show_samples
from edgepack.pipeline.comparison.stages import score_all
from edgepack.pipeline.origin import companion_files
from edgepack.report.data.comparison import FLOAT, ComparisonReport, FoldsReport, Stage
from edgepack.report.data.lint import LintReport
from edgepack.report.data.shown_samples import Exhibits
from edgepack.report.document.write import write_page
from edgepack.report.pages.comparison import comparison_document
from edgepack.runtimes import LITERT, Runtime
from edgepack.runtimes.installed import versions_of
from edgepack.storage import text_files
from edgepack.storage.artifact import describe_all
from edgepack.storage.cache import Cache, default_folder
from edgepack.storage.manifest import Manifest
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import describe_data, versions

_COMMAND = "compare"


def compare(
    trial: CompareConfig, progress: Progress | None = None, *, verbose: bool = False
) -> ComparisonReport:
    """Compare a float model with others on the same samples, and tell whether a drop is real.

    Writes ``trial.output``, if it is set, whole or not at all: report.html, report.md, report.json
    and the manifest. ``verbose`` lets TensorFlow and the interpreters write to standard error.
    What an interpreter fails at is a result.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    progress = progress or Silent()
    plan = plan_folds(trial)
    with ExitStack() as stack:
        folder = None
        if trial.output is None:
            work = stack.enter_context(temporary())
        else:
            output = staged_output(trial.output, _COMMAND, _read(trial), force=trial.force)
            folder = stack.enter_context(output)
            work = stack.enter_context(TemporaryFolder(folder.parent))
        cache = Cache(default_folder() if trial.is_cached else None, work)
        contest = read_setup(trial, cache, work, stack, progress, verbose=verbose)
        folds_of = split_folds(contest, plan) if plan else None
        of_float, answers = _run(contest)
        with progress.step("compare"):
            stages = score_all(contest, of_float, answers)
        folds = cross_validate(contest, folds_of, of_float) if folds_of else None
        lint, notes = None, contest.notes
        if folder is not None:
            look = CandidateDetails(contest, stack)
            stages = look.at_all(stages)
            lint, more = look.lint()
            notes += more
        notes += cache.notes
        report = _report(contest, stages, folds, lint, notes)
        if folder is not None:
            inputs = contest.samples.data.inputs
            shown = show_samples(report, contest.contestants, inputs, of_float, answers)
            _write(folder, report, shown, contest.runtimes)
    return report


_DISTRIBUTIONS = ("numpy", "scikit-learn", "scipy")


def _read(trial: CompareConfig) -> list[Any]:
    """List all that is read, and the cache, which must not hold a folder that is to stay."""
    candidates = [each.path for each in trial.candidates]
    return [
        *trial.source.inputs.values(),
        *trial.inputs.values(),
        *candidates,
        *(beside for path in candidates for beside in companion_files(path)),
        *map(target_file, trial.targets),
        *filter(None, [default_folder()]),
    ]


def _run(contest: ComparisonSetup) -> tuple[RuntimeOutputs, dict[str, dict[str, RuntimeOutputs]]]:
    """Run all models side by side; returns the float model's answer, and the others' by name."""
    floating, samples = contest.floating, contest.samples
    questions = {
        each.name: RunRequest(file=each.file, runtimes=contest.runtimes)
        for each in contest.contestants
    }
    if floating.file is not None:
        questions[FLOAT] = RunRequest(file=floating.file, runtimes=[LITERT])
    with contest.progress.step("run") as update:
        predicted = floating.predict(samples) if floating.file is None else None
        answers = run_cached(
            contest.running, questions, samples, contest.cache, contest.work, update
        )
        of_float = predicted() if predicted else answers.pop(FLOAT)[LITERT.name]
    if of_float.failure:
        raise ModelError(
            f"{floating.path}: nothing can be compared with it on LiteRT: {of_float.failure}"
        )
    return of_float, answers


def _report(
    contest: ComparisonSetup,
    stages: Sequence[Stage],
    folds: FoldsReport | None,
    lint: LintReport | None,
    notes: Sequence[str],
) -> ComparisonReport:
    inputs = _inputs(contest)
    return ComparisonReport(
        model=contest.trial.model.resolve().name,
        float_runtime=contest.floating.runtime,
        data=inputs["test"],
        samples=len(contest.samples),
        classes=contest.classes,
        metrics={name: first.metric.name for name, (first, *_) in contest.measures.items()},
        stages=tuple(stages),
        folds=folds,
        lint=lint,
        max_drop=contest.max_drop,
        inputs=inputs,
        versions=versions(_DISTRIBUTIONS, versions_of(contest.runtimes)),
        notes=(*notes, *weight_mismatch_notes(stages)),
    )


def _inputs(contest: ComparisonSetup) -> dict[str, dict[str, object]]:
    """Describe what went in, by its role; the contestants, which have any name, by their stage."""
    return {
        **contest.floating.inputs,
        **{
            f"stage {each.name}": {"name": each.file.path.name} | asdict(each.file.artifact)
            for each in contest.contestants
        },
        **{role: describe_data(each) for role, each in contest.trial.inputs.items()},
    }


def _write(
    folder: Path, report: ComparisonReport, shown: Exhibits, runtimes: Sequence[Runtime]
) -> None:
    text_files.write_json(folder / "report.json", report.to_dict())
    write_page(folder, comparison_document(report, shown))
    made = Manifest(
        command=_COMMAND,
        artifacts=describe_all(folder),
        asked={"comparison": {"inputs": report.inputs}},
        versions=versions(_DISTRIBUTIONS, versions_of(runtimes)),
    )
    made.write(folder)
