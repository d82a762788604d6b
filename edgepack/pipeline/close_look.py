"""What a page tells of a model besides how good it is: checks, layers, sparsity, its data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edgepack.bundle import describe_bytes
from edgepack.cache import Cache
from edgepack.debug.causes import ROUNDING_DB
from edgepack.debug.figures import DebugReport
from edgepack.errors import EdgepackError
from edgepack.gate import Gate
from edgepack.pipeline.answers import Samples
from edgepack.pipeline.contestants import Contestant
from edgepack.pipeline.debug import look
from edgepack.pipeline.file import File
from edgepack.pipeline.float_model import FloatModel
from edgepack.pipeline.lint import lint
from edgepack.pipeline.validate import validate
from edgepack.progress import Progress, Silent
from edgepack.recipe import Recipe, as_json
from edgepack.report.comparison import PRUNED, QUANTIZED, Stage
from edgepack.report.lint import LintReport
from edgepack.report.table import shorten
from edgepack.report.validation import ValidationReport
from edgepack.runtimes import RUNTIMES
from edgepack.sparsity import weight_sparsity
from edgepack.target import load_targets
from edgepack.trial import Trial


class CloseLook:
    """Looks at the models of one trial."""

    def __init__(
        self,
        trial: Trial,
        floating: FloatModel,
        samples: Samples,
        cache: Cache,
        work: Path,
        progress: Progress,
        *,
        verbose: bool,
    ) -> None:
        self._trial = trial
        self._samples = samples
        self._cache = cache
        self._work = work
        self._progress = progress
        self._verbose = verbose
        self._targets = load_targets(trial.targets)
        self._float = floating.tflite(samples.data)
        self._is_converted = floating.file is None

    def at_all(self, stages: Sequence[Stage], contestants: Sequence[Contestant]) -> list[Stage]:
        """Add what there is to say about the float model, the first, and about each contestant.

        What was quantized after pruning is held against the pruned model, layer by layer.
        """
        with self._progress.step("look") as update:
            found = [self._at_float(stages[0])]
            floating = self._float
            for done, (stage, contestant) in enumerate(
                zip(stages[1:], contestants, strict=True), start=1
            ):
                update(done, len(stages))
                found.append(self._at(stage, contestant, floating))
                floating = contestant.file if contestant.role == PRUNED else self._float
        return found

    def _at_float(self, stage: Stage) -> Stage:
        return replace(
            stage,
            artifact=describe_bytes(self._float.data),
            is_converted=self._is_converted,
            validation=self._validate(self._float, None),
            sparsity=weight_sparsity(self._float.model),
        )

    def _at(self, stage: Stage, contestant: Contestant, floating: File) -> Stage:
        file = contestant.file
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
            return replace(found, why_no_layers=str(error))

    def lint(self) -> LintReport | None:
        """Look for what is wrong with the test data; None if that cannot be told."""
        trial = self._trial
        recipe = Recipe(
            model=trial.model,
            output=self._work,
            weights=trial.weights,
            custom_objects=trial.custom_objects,
            allow_unsafe=trial.allow_unsafe,
            test=trial.test,
            recipe_file=trial.recipe_file,
        )
        key = ["lint", describe_bytes(self._float.data).sha256, self._samples.content]
        return self._cache.remember(key, LintReport, lambda: lint(recipe, verbose=self._verbose))

    def _validate(self, file: File, floating: File | None) -> ValidationReport:
        gate = Gate(
            model=file.path,
            targets=self._trial.targets,
            float_model=floating.path if floating else None,
        )
        key = [
            "validate",
            *(describe_bytes(each.data).sha256 for each in (file, floating) if each),
            [as_json(target) for target in self._targets],
            [runtime.version() for runtime in RUNTIMES.values()],
        ]
        return self._cache.remember(
            key, ValidationReport, lambda: validate(gate, verbose=self._verbose)
        )

    def _layers(self, file: File, floating: File) -> DebugReport:
        key = [
            "layers",
            *(describe_bytes(each.data).sha256 for each in (file, floating)),
            self._samples.content,
            RUNTIMES["litert"].version(),
        ]
        return self._cache.remember(
            key,
            DebugReport,
            lambda: look(
                floating.path,
                file.path,
                self._samples.data.inputs,
                file.outputs,
                self._work,
                Silent(),
                verbose=self._verbose,
            ),
        )


def strangers(stages: Sequence[Stage]) -> Iterator[str]:
    """Say which models have weights that are not those of the float model, however rounded."""
    for stage in stages:
        layers = stage.layers.layers if stage.layers else ()
        named = [
            layer.figures.name
            for layer in layers
            if layer.figures.weight_dtype
            and (kept := layer.figures.sqnr_db["constants"]) is not None
            and kept < ROUNDING_DB
        ]
        if named:
            yield (
                f"{stage.name}: its weights are not the float model's in {shorten(named)}: they"
                " differ by more than rounding does; was it made of another one?"
            )
