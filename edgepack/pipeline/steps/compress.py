"""The steps of compression, between loading and conversion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgepack.compression import technique
from edgepack.compression.technique import Record
from edgepack.compression.training.checkpoint import checkpoint_files
from edgepack.config.export import CompressionStep, Recipe, as_entry
from edgepack.core.codec import as_json, restore
from edgepack.core.errors import EdgepackError
from edgepack.evaluation.evaluate import Evaluator
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.report.data.compression import StepReport
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True)
class AppliedStep:
    """A step that was taken: what the model is called after it, and how it went."""

    technique: str
    stage: str
    record: Record


def require_techniques(recipe: Recipe) -> None:
    """Raise :class:`~edgepack.core.errors.ConfigError` for a step of an unknown technique."""
    for step in recipe.compress:
        technique(step.technique)


def stages(recipe: Recipe) -> list[str]:
    """Name the model after each step; of several of one technique the later ones are numbered."""
    names = [technique(step.technique).stage for step in recipe.compress]
    times = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [f"{name} {n}" if n > 1 else name for name, n in zip(names, times, strict=True)]


def compress(job: Job, data: JobData, inputs: dict[str, Any]) -> tuple[AppliedStep, ...]:
    """Take the steps of the recipe in their order; ``inputs`` are those of the manifest.

    An error of one of several steps names the step.
    """
    steps = job.recipe.compress
    taken = []
    for index, (step, stage) in enumerate(zip(steps, stages(job.recipe), strict=True)):
        try:
            record = _take(job, data, index, _training(job, data, index, inputs))
        except EdgepackError as error:
            if len(steps) > 1:
                error.args = (f"step {index + 1}, {step.technique}: {error}",)
            raise
        taken.append(AppliedStep(step.technique, stage, record))
    return tuple(taken)


def step_reports(
    taken: tuple[AppliedStep, ...], evaluators: Mapping[str, Evaluator], outputs: dict[str, Arrays]
) -> tuple[StepReport, ...]:
    """Score the model after each step; ``outputs`` are by its name, ``evaluators`` by output."""
    return tuple(
        StepReport(
            technique=step.technique,
            stage=step.stage,
            record=step.record,
            outputs={
                name: evaluators[name].score(made, None)
                for name, made in outputs[step.stage].items()
            },
        )
        for step in taken
    )


def _take(job: Job, data: JobData, index: int, training: dict[str, Any] | None) -> Record:
    step = job.recipe.compress[index]
    chosen = technique(step.technique)
    with job.progress.step(step.technique) as update:
        done = job.session.call(
            "compress",
            update=update,
            technique=step.technique,
            settings=as_json(step),
            samples=dict(data.representative.files),
            training=training,
        )
    record: Record = restore(chosen.record, done)
    return record


def _training(job: Job, data: JobData, index: int, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """Gather what a step is trained with; None if it is not."""
    recipe, fine_tune = job.recipe, job.recipe.compress[index].training
    if fine_tune is None or data.train is None:
        return None
    before = sum(step.training is not None for step in recipe.compress[:index])
    kept = checkpoint_files(recipe.checkpoints, before + 1)
    file = kept[-1] if kept else None
    wanted = {name: measure.wanted[:] for name, measure in data.taught.items()}
    return {
        "source": str(data.train.source),
        "inputs": dict(data.train.files),
        "labels": job.save(f"taught{index}", wanted),
        "losses": {name: measure.metric.loss for name, measure in data.taught.items()},
        "settings": as_json(fine_tune),
        "fingerprint": _fingerprint(recipe, recipe.compress[: index + 1], inputs),
        "checkpoint": file and str(file),
        # A run that was cut off may not have come to the later steps.
        "resume": recipe.resume and (not before or bool(file and file.exists())),
    }


def _fingerprint(recipe: Recipe, steps: tuple[CompressionStep, ...], inputs: dict[str, Any]) -> str:
    """Digest what decides the result of a training, for its checkpoints."""
    decisive = {
        "inputs": {role: inputs.get(role) for role in ("model", "weights", "train")},
        "metric": recipe.metric,
        "compress": [as_entry(step) for step in steps],
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
