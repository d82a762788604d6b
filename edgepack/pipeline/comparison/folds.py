"""Cross-validation of the calibration: how much the loss depends on the calibration samples."""

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
from edgepack.config.export import ExportConfig, as_export
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.evaluation.deviation import why_no_outputs
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.metric_change import metric_loss
from edgepack.evaluation.paired_outputs import Mask
from edgepack.metrics import Measure
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.pipeline.comparison.splits import choose_calibration_samples, choose_folds, subset
from edgepack.pipeline.origin import compressed_name, find_origin
from edgepack.pipeline.steps import model_steps
from edgepack.pipeline.steps.calibrate import calibrate, calibrating
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.report.data.compare import Fold, FoldsReport, Origin
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
    """How the candidate is recalibrated for each of ``count`` folds.

    ``origin`` is None where no manifest records how it was quantized; ``settings`` are edgepack's
    defaults then.
    """

    count: int
    candidate: Path
    origin: Origin | None
    settings: CalibrationSettings


def plan_folds(config: CompareConfig) -> FoldPlan | None:
    """Find out how the only candidate was quantized; None if no folds are requested.

    Raises :class:`ConfigError` for a candidate that was not calibrated.
    """
    if config.folds is None:
        return None
    (candidate,) = config.candidates
    recorded = find_origin(candidate.path)
    settings = _settings(candidate.path, recorded)
    return FoldPlan(
        count=config.folds, candidate=candidate.path, origin=recorded, settings=settings
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldSplit:
    """The folds of a plan; each mask, (samples,), selects the test samples that a fold holds out.

    ``output`` is the output that ``measure`` scores, and ``labels`` are its classes, (samples,), if
    it has any. ``why_unstratified`` is the reason why the folds are not stratified by class, None
    if they are.
    """

    plan: FoldPlan
    output: str
    measure: Measure
    labels: NDArray[Any] | None
    masks: list[Mask]
    why_unstratified: str | None


def split_folds(setup: ComparisonSetup, plan: FoldPlan) -> FoldSplit:
    """Choose the folds, stratified by class where every class has at least one sample per fold.

    They are scored on the first output with a measure. Raises :class:`ConfigError` if no output has
    one, or there are too few samples.
    """
    data = setup.data
    output, measure = _measured(data)
    labels = labels_by_class(data.evaluation_data, output)
    masks, why_unstratified = choose_folds(
        labels, len(data.evaluation_data), plan.count, data.evaluation_data.source
    )
    return FoldSplit(
        plan=plan,
        output=output,
        measure=measure,
        labels=labels,
        masks=masks,
        why_unstratified=why_unstratified,
    )


def cross_validate(
    setup: ComparisonSetup, split: FoldSplit, float_run: RuntimeOutputs
) -> FoldsReport:
    """Calibrate on all folds but one and test on the remaining one, for each fold in turn.

    Each fold quantizes the float model as planned, and runs it on LiteRT. ``float_run`` has the
    float model's outputs. Raises what :func:`~edgepack.pipeline.exporting.quantize.quantize` does.
    """
    data, plan = setup.data, split.plan
    output, measure, labels = split.output, split.measure, split.labels
    index = [each.name for each in data.signature.outputs].index(output)
    evaluator = Evaluator(float_run.outputs[index], [measure])
    job = setup.job(_export_config(setup.config, plan.settings))
    candidate = setup.candidates[-1]
    float_file = (candidate.pruned or setup.float_model.tflite(setup.samples)).path
    folds = []
    with (
        setup.progress.step("folds") as update,
        calibrating(job.config, verbose=setup.verbose) as calibrator,
    ):
        for number, mask in enumerate(split.masks, 1):
            update(number - 1, plan.count)
            with TemporaryFolder(setup.work) as folder:
                fold_job = replace(job, folder=folder, work=folder)
                shutil.copyfile(float_file, fold_job.float_tflite)
                run, tensor = _run_fold(
                    fold_job, data, output, calibrator, setup.running, labels, mask
                )
                outputs = _require_outputs(plan.candidate, number, run)
                value = evaluator.value(outputs[output], tensor, mask)
            folds.append(_fold(measure, number, mask, evaluator.float_value(mask), value))
        update(plan.count, plan.count)
    why_unstratified = split.why_unstratified
    remarks = [_settings_text(plan.settings), *_remarks(plan, data, output, why_unstratified)]
    return _report(
        measure.metric.name, folds, "; ".join(remarks), is_stratified=not why_unstratified
    )


def _settings_text(settings: CalibrationSettings) -> str:
    """Describe the settings in words, for the report."""
    quantization, seed = settings.quantization, settings.seed
    number = f"{settings.samples:,} samples (seed {seed})" if settings.samples else "all samples"
    words = [
        quantization.scheme,
        *(f"{pattern}={scheme}" for pattern, scheme in quantization.layers),
        quantization.input_type and f"inputs {quantization.input_type}",
        quantization.output_type and f"outputs {quantization.output_type}",
        quantization.dense and f"dense layers {quantization.dense}",
        f"observer {settings.observer}",
        f"calibrated with {number} of the other folds",
    ]
    return ", ".join(filter(None, words))


def _settings(candidate: Path, origin: Origin | None) -> CalibrationSettings:
    """Return how a model was quantized; edgepack's defaults if that is not recorded.

    Raises :class:`ConfigError` for a manifest that cannot be repeated, or without calibration.
    """
    try:
        settings = RecordedRecipe(origin.recipe if origin else {}).settings()
    except ValueError as error:
        raise ConfigError(
            f"{candidate}: the manifest beside it does not record how it was quantized ({error});"
            " export it again, or leave the folds out"
        ) from error
    scheme = settings.quantization.scheme
    why = (
        f"the scheme {scheme} has no activation ranges"
        if not settings.quantization.needs_ranges
        else "its ranges were given with --ranges"
        if settings.ranges
        else None
    )
    if why:
        raise ConfigError(f"{candidate}: {why}, so nothing is calibrated: leave the folds out")
    return settings


def _export_config(config: CompareConfig, settings: CalibrationSettings) -> ExportConfig:
    return as_export(
        config,
        output=Path(),  # nothing is written there
        samples=settings.samples,
        seed=settings.seed,
        observer=settings.observer,
        quantization=settings.quantization,
    )


def _measured(data: JobData) -> tuple[str, Measure]:
    """Return the first output with a measure; raises :class:`ConfigError` if there is none."""
    for output, measure in data.measures.items():
        return output, measure
    raise ConfigError(
        f"{data.evaluation_data.source}: folds are tested on labels, and it has none: give them in"
        " 'y', or choose the metric 'reconstruction-mse', which needs none"
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
    """Calibrate without the samples of a fold, quantize, and run the model on them on LiteRT.

    Returns the run, and the tensor of the output that is scored.
    """
    chosen = choose_calibration_samples(job.config, ~mask, labels)
    others = subset(data.evaluation_data, chosen, job.work / "others")
    calibrate(job, replace(data, representative=others), calibrator)
    model, _ = model_steps.quantize_model(job)
    tensors = model_steps.named_outputs(data, model)
    held_out = subset(data.evaluation_data, mask, job.work / "tested")
    runs = running.run(
        model=job.quantized_tflite,
        inputs=quantize_inputs(held_out.inputs, model.main.input_tensors, job.work),
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
    """Return the scores of a fold, and its loss; None if the loss is not finite.

    Raises :class:`ConfigError` if the metric is undefined on its samples.
    """
    if float_value is None or value is None:
        raise ConfigError(
            f"metric {measure.metric.name!r}: is undefined on the {mask.sum()} samples of fold"
            f" {number}, which may lack a class; use fewer folds, or choose another metric"
        )
    loss = metric_loss(measure.metric, float_value, value)
    return Fold(
        samples=int(mask.sum()),
        float_value=float_value,
        value=value,
        loss=loss if isfinite(loss) else None,
    )


def _has_float(candidate: Path) -> bool:
    return candidate.with_name(FLOAT_TFLITE).is_file()


def _remarks(
    plan: FoldPlan, data: JobData, output: str, why_unstratified: str | None
) -> Iterator[str]:
    """Yield what a reader must know about the folds, besides their settings."""
    candidate = plan.candidate
    if plan.origin is None:
        yield f"the defaults, since no manifest records how {candidate.name} was quantized"
    elif RecordedRecipe(plan.origin.recipe).is_compressed and not _has_float(candidate):
        name = compressed_name(plan.origin)
        yield f"not {name}, since {FLOAT_TFLITE} is not beside it"
    if len(data.measures) > 1:
        yield f"measured on the output {output!r}"
    if why_unstratified:
        yield f"not stratified: {why_unstratified}"


def _report(
    metric: str, folds: Sequence[Fold], settings: str, *, is_stratified: bool
) -> FoldsReport:
    values = [fold.value for fold in folds]
    losses = [fold.loss for fold in folds if fold.loss is not None]
    all_known = len(losses) == len(folds)
    return FoldsReport(
        metric=metric,
        is_stratified=is_stratified,
        settings=settings,
        folds=tuple(folds),
        mean=fmean(values),
        deviation=stdev(values),
        mean_loss=fmean(losses) if all_known else None,
        loss_deviation=stdev(losses) if all_known else None,
    )
