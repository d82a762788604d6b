"""Details for the page of a comparison: checks, layer errors, sparsity, and lint of the data."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from edgepack.config.export import as_export
from edgepack.config.project_file import ProjectFile
from edgepack.config.validate import ValidateConfig
from edgepack.core.codec import as_json
from edgepack.core.errors import EdgepackError
from edgepack.core.progress import NoProgress, ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.layer_errors.result import DebugReport
from edgepack.pipeline.comparison.cached_runs import array_digest
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.pipeline.lint import run_linter
from edgepack.pipeline.steps.layer_comparer import compare_layers, start_layer_comparer
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_inputs, reporting_damage
from edgepack.pipeline.validation.validate import Subject, examine, runtimes_for
from edgepack.report.data.compare import QUANTIZED, Stage
from edgepack.report.data.lint import LintReport
from edgepack.report.data.validate import ValidateReport
from edgepack.runtimes import LITERT, RUNTIMES
from edgepack.tflite.sparsity import weight_sparsity
from edgepack.workers.restarting_worker import RestartingWorker


class CandidateDetails:
    """Computes the details of a comparison's models; ``stack`` closes the worker that it starts."""

    def __init__(self, setup: ComparisonSetup, stack: ExitStack) -> None:
        self._setup = setup
        self._stack = stack
        self._float_file = setup.float_model.tflite(setup.samples)

    def add_to(self, stages: Sequence[Stage]) -> list[Stage]:
        """Return the stages with details; the float model's is first, then those of the candidates.

        A model that was quantized after pruning is compared with the pruned model, layer by layer.
        """
        float_stage, *others = stages
        with self._setup.progress.step("look") as update:
            detailed = [self._float_details(float_stage)]
            for stage, candidate in zip(others, self._setup.candidates, strict=True):
                update(len(detailed), len(stages))
                detailed.append(self._candidate_details(stage, candidate))
        return detailed

    def _float_details(self, stage: Stage) -> Stage:
        return replace(
            stage,
            artifact=self._float_file.artifact,
            is_converted=self._setup.float_model.file is None,
            validation=self._validate(self._float_file, None),
            sparsity=weight_sparsity(self._float_file.model),
        )

    def _candidate_details(self, stage: Stage, candidate: Candidate) -> Stage:
        file, float_file = candidate.file, candidate.pruned or self._float_file
        detailed = replace(
            stage,
            validation=self._validate(file, float_file),
            sparsity=weight_sparsity(file.model),
        )
        if candidate.role != QUANTIZED:
            return detailed
        try:
            return replace(detailed, layers=self._layers(file, float_file))
        except EdgepackError as error:
            return replace(detailed, why_no_layers=_message(error, file.path, float_file.path))

    def lint(self) -> tuple[LintReport | None, tuple[str, ...]]:
        """Lint the test data with its labels; returns None and a note if that fails.

        The linter loads the model, which may refuse a file that interpreters run.
        """
        setup = self._setup
        config = as_export(setup.config, output=setup.work)
        data = setup.samples.data
        key = [
            "lint",
            setup.float_model.inputs,
            self._float_file.artifact.sha256,
            setup.samples.content,
            {name: array_digest(labels) for name, labels in data.labels.items()},
            data.classes,
        ]
        try:
            report = setup.cache.get_or_compute(
                key, LintReport, lambda: run_linter(setup.job(config), setup.data)
            )
        except EdgepackError as error:
            return None, (f"the data was not linted: {_message(error, config.model)}",)
        return report, ()

    def _validate(self, file: ParsedFile, float_file: ParsedFile | None) -> ValidateReport:
        setup = self._setup
        key = [
            "validate",
            file.path.name,
            *(each.artifact.sha256 for each in (file, float_file) if each),
            [as_json(target) for target in setup.targets],
            [runtime.version() for runtime in RUNTIMES.values()],
        ]

        def validation() -> ValidateReport:
            with TemporaryFolder(setup.work) as work:
                config = ValidateConfig(model=file.path)
                inputs = read_inputs(
                    config, file, ProjectFile(), work, ignore, has_float=float_file is not None
                )
                return examine(
                    Subject(file=file, float_file=float_file, inputs=inputs, data=config.data),
                    setup.targets,
                    setup.running,
                    work,
                    NoProgress(),
                    on=runtimes_for(setup.targets),
                    budgets={},
                )

        return setup.cache.get_or_compute(key, ValidateReport, validation)

    def _layers(self, file: ParsedFile, float_file: ParsedFile) -> DebugReport:
        setup = self._setup
        key = [
            "layers",
            file.path.name,
            *(each.artifact.sha256 for each in (file, float_file)),
            setup.samples.content,
            LITERT.version(),
        ]

        def layers() -> DebugReport:
            with reporting_damage(file.path):
                return compare_layers(
                    self._layer_comparer,
                    float_file.path,
                    file.path,
                    setup.samples.data.inputs,
                    file.outputs,
                    setup.work,
                    NoProgress(),
                    origins={},
                )

        return setup.cache.get_or_compute(key, DebugReport, layers)

    @cached_property
    def _layer_comparer(self) -> RestartingWorker:
        return self._stack.enter_context(start_layer_comparer(verbose=self._setup.verbose))


def _message(error: EdgepackError, *paths: Path) -> str:
    """Return an error's message with file names instead of paths, as reports have them."""
    text = str(error)
    for path in paths:
        text = text.replace(str(path), path.name)
    return text
