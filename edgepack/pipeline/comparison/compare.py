"""The comparison of a float model with candidates derived from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.calibration.datasets.sources import find_source
from edgepack.config.checked_call import takes
from edgepack.config.compare import CompareConfig
from edgepack.core.errors import ConversionError, ModelError
from edgepack.core.former_names import former_argument
from edgepack.core.packages import SCIKIT_LEARN
from edgepack.core.progress import NoProgress, Progress
from edgepack.core.temporary_folders import TemporaryFolder, temporary_folder
from edgepack.core.tensorflow_packages import require_tensorflow
from edgepack.devices.target import target_file
from edgepack.load.formats import Format, detect_format
from edgepack.metrics import Family
from edgepack.pipeline.comparison.cached_runs import (
    RunRequest,
    RuntimeOutputs,
    array_digest,
    run_cached,
)
from edgepack.pipeline.comparison.collapse_origins import find_collapse_origins
from edgepack.pipeline.comparison.details import CandidateDetails
from edgepack.pipeline.comparison.folds import cross_validate, plan_folds, split_folds
from edgepack.pipeline.comparison.setup import ComparisonSetup, read_setup
from edgepack.pipeline.comparison.show_samples import show_samples
from edgepack.pipeline.comparison.stages import score_stages
from edgepack.pipeline.origin import companion_files
from edgepack.pipeline.steps.float_notes import float_model_notes
from edgepack.pipeline.validation.lineage import lineage_notes
from edgepack.report.data.compare import (
    FLOAT,
    QUANTIZED,
    CompareReport,
    FoldsReport,
    Stage,
)
from edgepack.report.data.lint import LintReport
from edgepack.report.data.shown_samples import ShownSamples
from edgepack.report.document.write import write_page
from edgepack.report.pages.compare import comparison_document
from edgepack.runtimes import LITERT
from edgepack.runtimes.installed import versions_of
from edgepack.storage import text_files
from edgepack.storage.artifact import describe_all
from edgepack.storage.cache import Cache, default_cache_folder
from edgepack.storage.manifest import Manifest, RecordedRecipe
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import describe_data, describe_read, package_versions

_COMMAND = "compare"


@former_argument("trial", "config")
@takes(CompareConfig)
def compare(
    config: CompareConfig, progress: Progress | None = None, *, verbose: bool = False
) -> CompareReport:
    """Compare a float model with others on the same samples, and report whether a drop is real.

    Writes ``config.output`` atomically, if it is set: report.html, report.md, report.json and the
    manifest. ``verbose`` lets TensorFlow and the interpreters write to standard error. An
    interpreter's failure is a result, not an error.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    progress = progress or NoProgress()
    plan = plan_folds(config)
    _require_possible(config)
    with ExitStack() as stack:
        folder = None
        if config.output is None:
            work = stack.enter_context(temporary_folder())
        else:
            output = staged_output(config.output, _COMMAND, _paths(config), force=config.force)
            folder = stack.enter_context(output)
            work = stack.enter_context(TemporaryFolder(folder.parent))
        cache = Cache(default_cache_folder() if config.is_cached else None, work)
        setup = read_setup(config, cache, work, stack, progress, verbose=verbose)
        split = split_folds(setup, plan) if plan else None
        float_run, runs = _run(setup)
        with progress.step("compare"):
            stages = score_stages(setup, float_run, runs)
        stages = find_collapse_origins(setup, stages)
        folds = cross_validate(setup, split, float_run) if split else None
        lint, notes = None, setup.notes
        if folder is not None:
            details = CandidateDetails(setup, stack)
            stages = details.add_to(stages)
            lint, lint_notes = details.lint()
            notes += lint_notes
        lineage = tuple(_lineage_notes(setup))  # may convert the model, which adds notes
        notes += (
            *setup.float_model.notes,
            *cache.notes,
            *_float_notes(setup, float_run),
            *lineage,
        )
        report = _report(setup, stages, folds, lint, notes)
        if folder is not None:
            inputs = setup.samples.data.inputs
            shown = show_samples(report, setup.candidates, inputs, float_run, runs)
            _write(folder, report, shown)
    return report


def _require_possible(config: CompareConfig) -> None:
    """Raise before the work for a model or data of no known kind, or that TensorFlow must read."""
    if config.folds is not None:
        require_tensorflow("the calibration of folds")
        SCIKIT_LEARN.require()
    if detect_format(config.model) is not Format.TFLITE:
        require_tensorflow(f"{config.model}: a model other than a .tflite file")
    find_source(config.test)


def _paths(config: CompareConfig) -> list[Any]:
    """Return everything that is read, and the cache, in which no output folder may lie."""
    candidates = [each.path for each in config.candidates]
    return [
        *config.source.inputs.values(),
        *config.inputs.values(),
        *candidates,
        *(companion for path in candidates for companion in companion_files(path)),
        *map(target_file, config.targets),
        *filter(None, [default_cache_folder()]),
    ]


def _run(setup: ComparisonSetup) -> tuple[RuntimeOutputs, dict[str, dict[str, RuntimeOutputs]]]:
    """Run all models in parallel; returns the float model's run, and the others' by name.

    Raises :class:`ModelError` if the float model does not run.
    """
    float_model, samples = setup.float_model, setup.samples
    requests = {
        each.name: RunRequest(file=each.file, runtimes=setup.runtimes) for each in setup.candidates
    }
    if float_model.file is not None:
        requests[FLOAT] = RunRequest(file=float_model.file, runtimes=[LITERT])
    with setup.progress.step("run") as update:
        await_float = float_model.predict(samples) if float_model.file is None else None
        runs = run_cached(setup.running, requests, samples, setup.cache, setup.work, update)
        float_run = await_float() if await_float else runs.pop(FLOAT)[LITERT.name]
    if float_run.failure:
        raise ModelError(
            f"{float_model.path}: nothing can be compared with it on LiteRT: {float_run.failure}"
        )
    return float_run, runs


def _report(
    setup: ComparisonSetup,
    stages: Sequence[Stage],
    folds: FoldsReport | None,
    lint: LintReport | None,
    notes: Sequence[str],
) -> CompareReport:
    inputs = _inputs(setup)
    return CompareReport(
        model=setup.config.model.resolve().name,
        float_runtime=setup.float_model.runtime,
        data=inputs["test"],
        samples=len(setup.samples),
        classes=setup.classes,
        metrics={name: first.metric.name for name, (first, *_) in setup.measures.items()},
        stages=tuple(stages),
        folds=folds,
        lint=lint,
        budgets=setup.budgets,
        inputs=inputs,
        versions=_versions(setup),
        notes=tuple(notes),
    )


def _float_notes(setup: ComparisonSetup, float_run: RuntimeOutputs) -> tuple[str, ...]:
    """Return what is wrong with the float model itself, or with the data; cached, as scores are."""
    names = [output.name for output in setup.float_model.signature.outputs]
    outputs = dict(zip(names, float_run.outputs, strict=True))
    measures, classes = setup.data.measures, setup.samples.data.classes
    targets = {
        name: array_digest(np.asarray(each.wanted[:]))
        for name, each in measures.items()
        if each.metric.family is Family.CLASSIFICATION
    }
    return setup.cache.get_or_compute(
        ["float notes", float_run.content, targets, list(classes)],
        tuple[str, ...],
        lambda: tuple(float_model_notes(outputs, measures, classes)),
    )


def _lineage_notes(setup: ComparisonSetup) -> Iterator[str]:
    """Yield a note for each candidate that is not simply the float model, quantized."""
    reference = RecordedRecipe(setup.float_model.inputs).source
    for each in setup.candidates:
        if reference is not None and each.role == QUANTIZED:
            try:
                yield from lineage_notes(
                    each.file,
                    reference,
                    lambda: setup.float_model.tflite(setup.samples).model,
                    each.name,
                )
            except ConversionError as error:
                yield (
                    f"whether {each.name} was made from {reference.name} is unknown, because the"
                    f" latter was not converted: {error}"
                )


def _inputs(setup: ComparisonSetup) -> dict[str, dict[str, object]]:
    """Describe the inputs by role; candidates, which may have any name, as ``stage NAME``."""
    return {
        **setup.float_model.inputs,
        **{
            f"stage {each.name}": describe_read(each.file.path, each.file.artifact)
            for each in setup.candidates
        },
        **{role: describe_data(each) for role, each in setup.config.inputs.items()},
    }


def _versions(setup: ComparisonSetup) -> dict[str, str]:
    """Return the versions of what computed the report; scikit-learn splits samples into folds."""
    splitting = () if setup.config.folds is None else ("scikit-learn",)
    return package_versions(("numpy", *splitting, "scipy"), versions_of(setup.runtimes))


def _write(folder: Path, report: CompareReport, shown: ShownSamples) -> None:
    text_files.write_json(folder / "report.json", report.to_dict())
    write_page(folder, comparison_document(report, shown))
    manifest = Manifest(
        command=_COMMAND,
        artifacts=describe_all(folder),
        request={"comparison": {"inputs": report.inputs}},
        versions=report.versions,
    )
    manifest.write(folder)
