"""What a page tells of a model besides how good it is: checks, layers, sparsity, its data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from edgepack.config.project_file import ProjectFile
from edgepack.config.validate import ValidateConfig
from edgepack.core.codec import as_json
from edgepack.core.errors import EdgepackError
from edgepack.core.progress import Silent, ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.layer_errors.causes import has_other_weights
from edgepack.layer_errors.result import DebugReport
from edgepack.pipeline.comparison.cached_runs import digest
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.pipeline.debug import compare_layers, layer_comparer
from edgepack.pipeline.lint import find_lint
from edgepack.pipeline.validation.read_inputs import ValidatedFile, making_sense_of, read_inputs
from edgepack.pipeline.validation.validate import Subject, examine, runtimes_here
from edgepack.report.data.comparison import QUANTIZED, Stage
from edgepack.report.data.lint import LintReport
from edgepack.report.data.validation import ValidationReport
from edgepack.report.format.text_table import shorten
from edgepack.runtimes import LITERT, RUNTIMES
from edgepack.tflite.sparsity import weight_sparsity
from edgepack.workers.replaced import ReplacedWorker


class CandidateDetails:
    """Looks at the models of one contest; the worker that it takes is left to ``stack``."""

    def __init__(self, contest: ComparisonSetup, stack: ExitStack) -> None:
        self._contest = contest
        self._stack = stack
        self._float = contest.floating.tflite(contest.samples.data)

    def at_all(self, stages: Sequence[Stage]) -> list[Stage]:
        """Add what there is to say about the float model, the first, and about each contestant.

        What was quantized after pruning is held against the pruned model, layer by layer.
        """
        floating, *others = stages
        with self._contest.progress.step("look") as update:
            found = [self._at_float(floating)]
            for stage, contestant in zip(others, self._contest.contestants, strict=True):
                update(len(found), len(stages))
                found.append(self._at(stage, contestant))
        return found

    def _at_float(self, stage: Stage) -> Stage:
        return replace(
            stage,
            artifact=self._float.artifact,
            is_converted=self._contest.floating.file is None,
            validation=self._validate(self._float, None),
            sparsity=weight_sparsity(self._float.model),
        )

    def _at(self, stage: Stage, contestant: Candidate) -> Stage:
        file, floating = contestant.file, contestant.pruned or self._float
        found = replace(
            stage,
            validation=self._validate(file, floating),
            sparsity=weight_sparsity(file.model),
        )
        if contestant.role != QUANTIZED:
            return found
        try:
            return replace(found, layers=self._layers(file, floating))
        except EdgepackError as error:
            return replace(found, why_no_layers=_told(error, file.path, floating.path))

    def lint(self) -> tuple[LintReport | None, tuple[str, ...]]:
        """Look for what is wrong with the test data, its labels included, or say why not.

        The linter takes the model to TensorFlow, which wants more of it than interpreters do.
        """
        contest, trial = self._contest, self._contest.trial
        recipe = trial.as_recipe(contest.work)
        data = contest.samples.data
        key = [
            "lint",
            contest.floating.inputs,
            self._float.artifact.sha256,
            contest.samples.content,
            {name: digest(labels) for name, labels in data.labels.items()},
            data.classes,
        ]
        try:
            found = contest.cache.remember(
                key, LintReport, lambda: find_lint(contest.job(recipe), contest.data)
            )
        except EdgepackError as error:
            return None, (f"the linter did not look at the data: {_told(error, trial.model)}",)
        return found, ()

    def _validate(self, file: ValidatedFile, floating: ValidatedFile | None) -> ValidationReport:
        contest = self._contest
        key = [
            "validate",
            file.path.name,
            *(each.artifact.sha256 for each in (file, floating) if each),
            [as_json(target) for target in contest.targets],
            [runtime.version() for runtime in RUNTIMES.values()],
        ]

        def validation() -> ValidationReport:
            with TemporaryFolder(contest.work) as work:
                gate = ValidateConfig(model=file.path)
                inputs = read_inputs(
                    gate, file, ProjectFile(), work, ignore, has_float=floating is not None
                )
                return examine(
                    Subject(file=file, floating=floating, inputs=inputs, data=gate.data),
                    contest.targets,
                    contest.running,
                    work,
                    Silent(),
                    on=runtimes_here(contest.targets),
                    budgets={},
                )

        return contest.cache.remember(key, ValidationReport, validation)

    def _layers(self, file: ValidatedFile, floating: ValidatedFile) -> DebugReport:
        contest = self._contest
        key = [
            "layers",
            file.path.name,
            *(each.artifact.sha256 for each in (file, floating)),
            contest.samples.content,
            LITERT.version(),
        ]

        def layers() -> DebugReport:
            with making_sense_of(file.path):
                return compare_layers(
                    self._looker,
                    floating.path,
                    file.path,
                    contest.samples.data.inputs,
                    file.outputs,
                    contest.work,
                    Silent(),
                )

        return contest.cache.remember(key, DebugReport, layers)

    @cached_property
    def _looker(self) -> ReplacedWorker:
        return self._stack.enter_context(layer_comparer(verbose=self._contest.verbose))


def _told(error: EdgepackError, *paths: Path) -> str:
    """Tell an error as reports do: files by their names, wherever they lie."""
    text = str(error)
    for path in paths:
        text = text.replace(str(path), path.name)
    return text


def weight_mismatch_notes(stages: Sequence[Stage]) -> Iterator[str]:
    """Say which models have weights that are not those of the float model, however rounded."""
    for stage in stages:
        layers = stage.layers.layers if stage.layers else ()
        named = [each.figures.name for each in layers if has_other_weights(each.figures)]
        if named:
            yield (
                f"{stage.name}: its weights are not the float model's in {shorten(named)}: they"
                " differ by more than rounding does; was it made of another one?"
            )
