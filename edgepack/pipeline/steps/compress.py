"""The compression steps, between loading and conversion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgepack.compression import find_technique
from edgepack.compression.technique import StepRecord
from edgepack.compression.training.checkpoint import checkpoint_files
from edgepack.config.compression_step import CompressionStep, step_as_json
from edgepack.config.export import ExportConfig
from edgepack.core.codec import as_json, restore
from edgepack.core.errors import EdgepackError
from edgepack.evaluation.evaluate import Evaluator
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.report.data.compression import StepReport
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True)
class AppliedStep:
    """A completed compression step: its technique, its stage's name, and its record."""

    technique: str
    stage: str
    record: StepRecord


def require_techniques(config: ExportConfig) -> None:
    """Raise before the work for a technique that is unknown, or lacks a package.

    Raises :class:`~edgepack.core.errors.ConfigError` or
    :class:`~edgepack.core.errors.MissingToolError`.
    """
    for step in config.compress:
        for package in find_technique(step.technique).packages:
            package.require()


def stage_names(config: ExportConfig) -> list[str]:
    """Return the name of the model's stage after each step; repeated names are numbered from 2."""
    names = [find_technique(step.technique).stage for step in config.compress]
    times = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [f"{name} {n}" if n > 1 else name for name, n in zip(names, times, strict=True)]


def compress(job: Job, data: JobData, inputs: dict[str, Any]) -> tuple[AppliedStep, ...]:
    """Apply the compression steps in order; ``inputs`` are those of the manifest.

    If there are several steps, the message of an error names the step that raised it.
    """
    steps = job.config.compress
    applied = []
    for index, (step, stage) in enumerate(zip(steps, stage_names(job.config), strict=True)):
        try:
            record = _apply(job, data, index, _training(job, data, index, inputs))
        except EdgepackError as error:
            if len(steps) > 1:
                error.args = (f"step {index + 1}, {step.technique}: {error}",)
            raise
        applied.append(AppliedStep(step.technique, stage, record))
    return tuple(applied)


def step_reports(
    steps: tuple[AppliedStep, ...], evaluators: Mapping[str, Evaluator], outputs: dict[str, Arrays]
) -> tuple[StepReport, ...]:
    """Score the model after each step.

    ``outputs`` are keyed by stage, then by output name; arrays are (samples, ...). ``evaluators``
    are keyed by output name.
    """
    return tuple(
        StepReport(
            technique=step.technique,
            stage=step.stage,
            record=step.record,
            outputs={
                # What compression changed is no noise, so outputs are held against themselves.
                name: evaluators[name].score(output, None, compressed=output)
                for name, output in outputs[step.stage].items()
            },
        )
        for step in steps
    )


def _apply(job: Job, data: JobData, index: int, training: dict[str, Any] | None) -> StepRecord:
    step = job.config.compress[index]
    chosen = find_technique(step.technique)
    with job.progress.step(step.technique) as update:
        result = job.session.call(
            "compress",
            update=update,
            technique=step.technique,
            settings=as_json(step),
            samples=dict(data.representative.files),
            training=training,
        )
    record: StepRecord = restore(chosen.record, result)
    return record


def _training(job: Job, data: JobData, index: int, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """Collect the arguments of a step's training; None if the step does not train."""
    config, fine_tune = job.config, job.config.compress[index].training
    if fine_tune is None or data.train is None:
        return None
    earlier = sum(step.training is not None for step in config.compress[:index])
    checkpoints = checkpoint_files(config.checkpoints, earlier + 1)
    file = checkpoints[-1] if checkpoints else None
    targets = {name: measure.wanted[:] for name, measure in data.training_targets.items()}
    return {
        "source": str(data.train.source),
        "inputs": dict(data.train.files),
        "labels": job.save(f"targets{index}", targets),
        "losses": {name: measure.metric.loss for name, measure in data.training_targets.items()},
        "settings": as_json(fine_tune),
        "fingerprint": _fingerprint(config, config.compress[: index + 1], inputs),
        "checkpoint": file and str(file),
        # An interrupted run may not have reached the later steps.
        "resume": config.resume and (not earlier or bool(file and file.exists())),
    }


def _fingerprint(
    config: ExportConfig, steps: tuple[CompressionStep, ...], inputs: dict[str, Any]
) -> str:
    """Hash everything that determines the result of a training, to match its checkpoints."""
    decisive = {
        "inputs": {role: inputs.get(role) for role in ("model", "weights", "train")},
        "metric": config.metric,
        "compress": [step_as_json(step) for step in steps],
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
