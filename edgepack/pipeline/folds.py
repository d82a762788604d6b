"""Cross-validation of the calibration: how much its samples decide what quantization costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import Arrays, blocks, extremes
from edgepack.calibration.calibrator import Calibrator
from edgepack.deviation import UNEVEN
from edgepack.errors import ModelError, RecipeError
from edgepack.evaluation.score import drop
from edgepack.load.formats import detect
from edgepack.metrics import Measure, decision_boundary
from edgepack.pipeline import steps
from edgepack.pipeline.calibrate import calibrate, calibrating
from edgepack.pipeline.job import Data, Job, load
from edgepack.pipeline.model_session import model_session, own_folder
from edgepack.pipeline.origin import is_compressed, pruned_float
from edgepack.pipeline.splits import Mask, calibrated_with, class_labels, held_out, subset
from edgepack.progress import Progress, Silent, ignore
from edgepack.quantize.affine import dequantize
from edgepack.quantize.inputs import quantize_inputs
from edgepack.recipe import DEFAULT_OBSERVER, DEFAULT_SEED, Recipe, as_json
from edgepack.report.comparison import Fold, FoldsReport, Origin
from edgepack.restore import restore
from edgepack.runtimes import RUNTIMES
from edgepack.runtimes.processes import Interpreters, interpreters
from edgepack.schemes import Quantization
from edgepack.scratch import Scratch, temporary
from edgepack.trial import Trial

_LITERT = RUNTIMES["litert"]


def cross_validate(
    trial: Trial,
    candidate: Path,
    origin: Origin | None,
    progress: Progress | None = None,
    *,
    verbose: bool = False,
) -> FoldsReport:
    """Calibrate with all folds of the test data but one and test on that, for each in turn.

    Every fold quantizes the float model as ``origin`` says that the candidate was, as int8 with
    edgepack's defaults without one, and runs it on LiteRT. ``trial.folds`` says how many there
    are; each has its share of each class where every class has as many samples. The measure is
    that of the first output that has one. ``verbose`` lets TensorFlow and LiteRT write to standard
    error.

    Raises :class:`RecipeError` where nothing is calibrated, or nothing can be measured, and
    whatever :func:`~edgepack.pipeline.quantize.quantize` does.
    """
    count = trial.folds
    assert count is not None  # noqa: S101 (or there is nothing to do)
    settings = _settings(candidate, origin)
    recipe = _recipe(trial, settings)
    detect(recipe.model)
    with (
        temporary() as work,
        model_session(recipe.source, work, verbose=verbose) as session,
        interpreters([_LITERT], verbose=verbose) as running,
        calibrating(recipe, verbose=verbose) as calibrator,
    ):
        job = Job(recipe, work, work, own_folder(work), session, progress or Silent(), verbose)
        data = load(job)
        output, measure = _measured(data)
        labels = class_labels(data.compared, output)
        masks, why_not = held_out(labels, len(data.compared), count, data.compared.source)
        if origin and (pruned := pruned_float(candidate, recipe.model)):
            shutil.copyfile(pruned, job.float_tflite)
        else:
            steps.convert(job, data)
        job = replace(job, progress=Silent())
        predicted = steps.predicted(job, data, steps.predict(job, data))["float"]
        scorer = _Scorer(output, measure, predicted[output])
        folds = []
        with (progress or Silent()).step("folds") as update:
            for number, mask in enumerate(masks, 1):
                update(number - 1, count)
                made = _run_fold(job, data, calibrator, running, labels, mask)
                folds.append(scorer.fold(candidate, number, mask, made))
            update(count, count)
    told = [settings.in_words, *_remarks(candidate, origin, data, output, why_not)]
    return _report(measure.metric.name, folds, "; ".join(told), is_stratified=not why_not)


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """What decides how a model is calibrated and quantized, as manifests have it."""

    samples: int | None = None
    seed: int = DEFAULT_SEED
    observer: str = DEFAULT_OBSERVER
    ranges: dict[str, Any] | None = None
    quantization: Quantization = field(default_factory=Quantization)

    @property
    def in_words(self) -> str:
        """The settings for people."""
        its = self.quantization
        number = f"{self.samples:,} samples (seed {self.seed})" if self.samples else "all samples"
        words = [
            its.scheme,
            *(f"{pattern}={scheme}" for pattern, scheme in its.layers),
            its.input_type and f"inputs {its.input_type}",
            its.output_type and f"outputs {its.output_type}",
            its.dense and f"dense layers {its.dense}",
            f"observer {self.observer}",
            f"calibrated with {number} of the other folds",
        ]
        return ", ".join(filter(None, words))


def _settings(candidate: Path, origin: Origin | None) -> _Settings:
    """Find how a model was quantized."""
    defaults = as_json(_Settings())
    told = origin.recipe if origin else {}
    try:
        settings = restore(_Settings, {key: told.get(key, defaults[key]) for key in defaults})
    except ValueError as error:
        raise RecipeError(
            f"{candidate}: the manifest beside it does not say how to quantize it again ({error});"
            " export it again, or leave the folds out"
        ) from error
    scheme = settings.quantization.scheme
    why = (
        f"the scheme {scheme} has no ranges"
        if not settings.quantization.needs_ranges
        else "its ranges were given"
        if settings.ranges
        else None
    )
    if why:
        raise RecipeError(f"{candidate}: {why}, so nothing is calibrated: leave the folds out")
    return settings


def _recipe(trial: Trial, settings: _Settings) -> Recipe:
    return trial.as_recipe(
        Path(),  # nothing is written there
        metric=trial.metric,
        samples=settings.samples,
        seed=settings.seed,
        observer=settings.observer,
        quantization=settings.quantization,
    )


def _measured(data: Data) -> tuple[str, Measure]:
    """Find the first output that is measured."""
    for output, measure in data.measures.items():
        return output, measure
    raise RecipeError(
        f"{data.compared.source}: folds are tested on labels, and it has none: give them in 'y', or"
        " choose the metric 'reconstruction-mse', which needs none"
    )


def _run_fold(
    job: Job,
    data: Data,
    calibrator: Calibrator | None,
    running: Interpreters,
    labels: NDArray[Any] | None,
    mask: Mask,
) -> Arrays | str:
    """Calibrate without the samples of a fold, quantize, and run LiteRT on them.

    Returns the outputs in real values, or why there are none.
    """
    with Scratch(job.work) as folder:
        shutil.copyfile(job.float_tflite, folder / job.float_tflite.name)
        job = replace(job, folder=folder, work=folder)
        chosen = calibrated_with(job.recipe, ~mask, labels)
        others = subset(data.compared, chosen, folder / "others")
        calibrate(job, replace(data, representative=others), calibrator)
        model, _ = steps.quantize(job)
        tensors = steps.named_outputs(data, model)
        tested = subset(data.compared, mask, folder / "tested")
        run = running.run(
            model=job.quantized_tflite,
            inputs=quantize_inputs(tested.inputs, model.main.input_tensors, folder),
            outputs=list(tensors),
            work=folder,
            update=ignore,
        )[_LITERT.name]
        if run.outputs is None:
            return run.failure or f"its {UNEVEN}"
        return {name: dequantize(run.outputs[name], tensor) for name, tensor in tensors.items()}


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Scores an output by its measure, and the float model's, of shape (samples, ...)."""

    output: str
    measure: Measure
    float_outputs: NDArray[Any]

    @cached_property
    def _boundary(self) -> float:
        return decision_boundary(extremes(self.float_outputs))

    def fold(self, candidate: Path, number: int, mask: Mask, made: Arrays | str) -> Fold:
        """Score what LiteRT made of the samples of a fold."""
        if isinstance(made, str):
            raise ModelError(
                f"{candidate}: LiteRT does not run it as calibrated for fold {number}: {made};"
                " leave the folds out"
            )
        metric = self.measure.metric
        float_value = self._score(None, mask)
        value = self._score(made[self.output], mask)
        if not (isfinite(float_value) and isfinite(value)):
            raise RecipeError(
                f"metric {metric.name!r}: is no number on the {mask.sum()} samples of fold"
                f" {number}, which may lack a class; ask for fewer folds, or choose another"
            )
        loss = drop(metric, float_value, value).amount
        return Fold(
            samples=int(mask.sum()),
            float_value=float_value,
            value=value,
            loss=loss if isfinite(loss) else None,
        )

    def _score(self, made: NDArray[Any] | None, mask: Mask) -> float:
        """Compute the metric of some samples, of float's outputs with None, block by block."""
        metric = self.measure.metric
        condensed, done = [], 0
        for rows, (block,) in blocks(self.float_outputs):
            chosen = mask[rows]
            count = int(chosen.sum())
            outputs = block[chosen] if made is None else made[done : done + count]
            if count:
                wanted = self.measure.read(rows)[chosen]
                condensed.append(metric.condense(outputs, wanted, self._boundary))
            done += count
        return metric.of(np.concatenate(condensed))


def _remarks(
    candidate: Path, origin: Origin | None, data: Data, output: str, why_not: str | None
) -> Iterator[str]:
    if origin is None:
        yield f"the defaults, since no manifest tells how {candidate.name} was quantized"
    elif is_compressed(origin.recipe) and not candidate.with_name("float.tflite").is_file():
        yield "not pruned, since float.tflite is not beside it"
    if len(data.measures) > 1:
        yield f"measured on the output {output!r}"
    if why_not:
        yield f"not stratified: {why_not}"


def _report(
    metric: str, folds: Sequence[Fold], settings: str, *, is_stratified: bool
) -> FoldsReport:
    values = [fold.value for fold in folds]
    losses = [fold.loss for fold in folds if fold.loss is not None]
    is_told = len(losses) == len(folds)
    return FoldsReport(
        metric=metric,
        is_stratified=is_stratified,
        settings=settings,
        folds=tuple(folds),
        mean=fmean(values),
        deviation=stdev(values),
        mean_loss=fmean(losses) if is_told else None,
        loss_deviation=stdev(losses) if is_told else None,
    )
