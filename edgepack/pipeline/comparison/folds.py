"""Cross-validation of the calibration: how much its samples decide what quantization costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from numpy.typing import NDArray

from edgepack.calibration.activations.calibrator import Calibrator
from edgepack.config.compare import CompareConfig
from edgepack.config.export import Recipe
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.evaluation.deviation import why_no_outputs
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.paired_outputs import Mask
from edgepack.evaluation.scores import drop
from edgepack.metrics import Measure
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.pipeline.comparison.splits import calibrated_with, held_out, subset
from edgepack.pipeline.origin import compressed_name, origin
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.calibrate import calibrate, calibrating
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.report.data.comparison import Fold, FoldsReport, Origin
from edgepack.runtimes import LITERT
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import Arrays
from edgepack.storage.dataset import labels_by_class
from edgepack.storage.manifest import CalibrationSettings, RecordedRecipe
from edgepack.tflite.graph import Tensor
from edgepack.tflite.macs import model_macs


@dataclass(frozen=True, kw_only=True)
class FoldPlan:
    """How the candidate is calibrated anew, once for each of ``count`` folds.

    ``origin`` is None where nothing tells how it was quantized: then the ``settings`` are
    edgepack's defaults.
    """

    count: int
    candidate: Path
    origin: Origin | None
    settings: CalibrationSettings


def plan_folds(trial: CompareConfig) -> FoldPlan | None:
    """Find how the lone candidate of a trial was quantized; None if no folds are asked for.

    Raises :class:`ConfigError` where nothing is calibrated.
    """
    if trial.folds is None:
        return None
    (candidate,) = trial.candidates
    its = origin(candidate.path)
    settings = _settings(candidate.path, its)
    return FoldPlan(count=trial.folds, candidate=candidate.path, origin=its, settings=settings)


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldSplit:
    """The folds that are planned: which samples of the test data each holds out, by ``masks``.

    ``labels`` are those of ``output``, which ``measure`` measures; ``why_not`` says why the folds
    are not stratified, and is None if they are.
    """

    plan: FoldPlan
    output: str
    measure: Measure
    labels: NDArray[Any] | None
    masks: list[Mask]
    why_not: str | None


def split_folds(contest: ComparisonSetup, plan: FoldPlan) -> FoldSplit:
    """Choose the folds; each has its share of each class where every class has as many samples.

    The measure is that of the first output that has one. Raises :class:`ConfigError` where nothing
    can be measured, or there are too few samples.
    """
    data = contest.data
    output, measure = _measured(data)
    labels = labels_by_class(data.compared, output)
    masks, why_not = held_out(labels, len(data.compared), plan.count, data.compared.source)
    return FoldSplit(
        plan=plan, output=output, measure=measure, labels=labels, masks=masks, why_not=why_not
    )


def cross_validate(
    contest: ComparisonSetup, folds_of: FoldSplit, of_float: RuntimeOutputs
) -> FoldsReport:
    """Calibrate with all folds of the test data but one and test on that, for each in turn.

    Every fold quantizes the float model as planned, and runs it on LiteRT. ``of_float`` is what the
    float model gave. Raises what :func:`~edgepack.pipeline.exporting.quantize.quantize` does.
    """
    data, plan = contest.data, folds_of.plan
    output, measure, labels = folds_of.output, folds_of.measure, folds_of.labels
    place = [each.name for each in data.signature.outputs].index(output)
    evaluator = Evaluator(of_float.outputs[place], [measure])
    job = contest.job(_recipe(contest.trial, plan.settings))
    candidate = contest.contestants[-1]
    floating = (candidate.pruned or contest.floating.tflite(data.compared)).path
    folds = []
    with (
        contest.progress.step("folds") as update,
        calibrating(job.recipe, verbose=contest.verbose) as calibrator,
    ):
        for number, mask in enumerate(folds_of.masks, 1):
            update(number - 1, plan.count)
            with TemporaryFolder(contest.work) as folder:
                own = replace(job, folder=folder, work=folder)
                shutil.copyfile(floating, own.float_tflite)
                run, tensor = _run_fold(
                    own, data, output, calibrator, contest.running, labels, mask
                )
                made = _require_outputs(plan.candidate, number, run)
                value = evaluator.value(made[output], tensor, mask)
            folds.append(_fold(measure, number, mask, evaluator.float_value(mask), value))
        update(plan.count, plan.count)
    told = [_in_words(plan.settings), *_remarks(plan, data, output, folds_of.why_not)]
    return _report(measure.metric.name, folds, "; ".join(told), is_stratified=not folds_of.why_not)


def _in_words(settings: CalibrationSettings) -> str:
    """Tell the settings to people."""
    its, seed = settings.quantization, settings.seed
    number = f"{settings.samples:,} samples (seed {seed})" if settings.samples else "all samples"
    words = [
        its.scheme,
        *(f"{pattern}={scheme}" for pattern, scheme in its.layers),
        its.input_type and f"inputs {its.input_type}",
        its.output_type and f"outputs {its.output_type}",
        its.dense and f"dense layers {its.dense}",
        f"observer {settings.observer}",
        f"calibrated with {number} of the other folds",
    ]
    return ", ".join(filter(None, words))


def _settings(candidate: Path, origin: Origin | None) -> CalibrationSettings:
    """Find how a model was quantized."""
    try:
        settings = RecordedRecipe(origin.recipe if origin else {}).settings()
    except ValueError as error:
        raise ConfigError(
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
        raise ConfigError(f"{candidate}: {why}, so nothing is calibrated: leave the folds out")
    return settings


def _recipe(trial: CompareConfig, settings: CalibrationSettings) -> Recipe:
    return trial.as_recipe(
        Path(),  # nothing is written there
        metric=trial.metric,
        samples=settings.samples,
        seed=settings.seed,
        observer=settings.observer,
        quantization=settings.quantization,
    )


def _measured(data: JobData) -> tuple[str, Measure]:
    """Find the first output that is measured."""
    for output, measure in data.measures.items():
        return output, measure
    raise ConfigError(
        f"{data.compared.source}: folds are tested on labels, and it has none: give them in 'y', or"
        " choose the metric 'reconstruction-mse', which needs none"
    )


def _run_fold(
    job: Job,
    data: JobData,
    output: str,
    calibrator: Calibrator | None,
    running: Interpreters,
    labels: NDArray[Any] | None,
    mask: Mask,
) -> tuple[Run, Tensor]:
    """Calibrate without the samples of a fold, quantize, and run LiteRT on them.

    Returns what LiteRT made of them, and the tensor of the output that is measured.
    """
    chosen = calibrated_with(job.recipe, ~mask, labels)
    others = subset(data.compared, chosen, job.work / "others")
    calibrate(job, replace(data, representative=others), calibrator)
    model, _ = model_steps.quantize_model(job)
    tensors = model_steps.named_outputs(data, model)
    tested = subset(data.compared, mask, job.work / "tested")
    runs = running.run(
        model=job.quantized_tflite,
        inputs=quantize_inputs(tested.inputs, model.main.input_tensors, job.work),
        outputs=list(tensors),
        work=job.work,
        update=ignore,
        on=[LITERT],
        macs=model_macs(model),
    )
    return runs[LITERT.name], tensors[output]


def _require_outputs(candidate: Path, number: int, run: Run) -> Arrays:
    if run.outputs is None:
        why = why_no_outputs(run)
        raise ModelError(
            f"{candidate}: LiteRT does not run it as calibrated for fold {number}: {why}; leave the"
            " folds out"
        )
    return run.outputs


def _fold(
    measure: Measure, number: int, mask: Mask, float_value: float | None, value: float | None
) -> Fold:
    """Tell what a fold loses."""
    if float_value is None or value is None:
        raise ConfigError(
            f"metric {measure.metric.name!r}: is no number on the {mask.sum()} samples of fold"
            f" {number}, which may lack a class; ask for fewer folds, or choose another"
        )
    loss = drop(measure.metric, float_value, value).amount
    return Fold(
        samples=int(mask.sum()),
        float_value=float_value,
        value=value,
        loss=loss if isfinite(loss) else None,
    )


def _has_float(candidate: Path) -> bool:
    return candidate.with_name(FLOAT_TFLITE).is_file()


def _remarks(plan: FoldPlan, data: JobData, output: str, why_not: str | None) -> Iterator[str]:
    candidate = plan.candidate
    if plan.origin is None:
        yield f"the defaults, since no manifest tells how {candidate.name} was quantized"
    elif RecordedRecipe(plan.origin.recipe).is_compressed and not _has_float(candidate):
        name = compressed_name(plan.origin)
        yield f"not {name}, since {FLOAT_TFLITE} is not beside it"
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
