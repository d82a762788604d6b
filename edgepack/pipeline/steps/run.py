"""Runs of a model on interpreters; slow ones run only as many samples as their budget allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.content_order import content_order
from edgepack.calibration.datasets.sampling import choose_samples
from edgepack.calibration.datasets.sources.source import Survey
from edgepack.checks import rules_out
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import Budgets
from edgepack.config.shared_settings import DEFAULT_SEED
from edgepack.core.progress import CombinedProgress, Update
from edgepack.devices.target import Target
from edgepack.evaluation.paired_outputs import Mask
from edgepack.runtimes import REFERENCE, Runtime
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run
from edgepack.runtimes.sample_budget import affordable_samples
from edgepack.storage.array_writer import write_selected_rows
from edgepack.storage.arrays import Arrays
from edgepack.tflite.graph import Model
from edgepack.tflite.macs import model_macs


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """A .tflite file and its inputs: arrays (samples, ...) in the dtypes of the file's inputs.

    ``outputs`` are the output names in order. ``labels`` are the class numbers, (samples,), if
    known.
    """

    path: Path
    model: Model
    inputs: Arrays
    outputs: Sequence[str]
    labels: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def find_unneeded_runtimes(
    runtimes: Collection[Runtime],
    targets: Sequence[Target],
    model: Model,
    model_bytes: int,
    budgets: Mapping[str, Budgets],
) -> dict[Runtime, list[str]]:
    """Return the slow interpreters needed only by targets that are ruled out, with those targets.

    Returns none if nothing but the reference kernels would remain to run the model.
    """
    evidence = Evidence(model=model, model_bytes=model_bytes, budgets=budgets)
    ruled_out = [target for target in targets if rules_out(target, evidence)]
    needed = {name for target in targets if target not in ruled_out for name in target.interpreters}
    slow = [runtime for runtime in runtimes if runtime.mac_ns and runtime.name not in needed]
    unneeded = {
        runtime: names
        for runtime in slow
        if (names := [target.name for target in ruled_out if runtime.name in target.interpreters])
    }
    remaining = {
        runtime for runtime in runtimes if runtime not in unneeded and runtime != REFERENCE
    }
    return unneeded if remaining else {}


def run_within_budget(
    running: Interpreters,
    workload: Workload,
    on: Sequence[Runtime],
    work: Path,
    update: Update,
    idle: Collection[Runtime] = (),
) -> dict[str, Run]:
    """Run a model; slow interpreters run only as many samples as their time budget allows.

    Those samples are stratified by class, and the same on every slow interpreter. Interpreters in
    ``idle`` only load the model. Arrays go to the folder ``work``. Returns the runs by name.
    """
    macs, samples = model_macs(workload.model), len(workload)
    slow = [runtime for runtime in on if runtime.mac_ns and runtime not in idle]
    limit = affordable_samples(slow, macs)
    mask = None if limit is None or limit >= samples else _stratified_mask(workload, limit)
    limited = slow if mask is not None else []
    groups = (
        _Group("all", [each for each in on if each not in (*limited, *idle)], None, samples),
        _Group("some", limited, mask, limit or 0),
        _Group("none", list(idle), np.zeros(samples, bool), 0),
    )
    counter = CombinedProgress(
        update, total=sum(each.samples * len(each.runtimes) for each in groups)
    )
    started = []
    for group in groups:
        if group.runtimes:
            folder = work / group.name
            folder.mkdir()
            wait = running.start(
                model=workload.path,
                inputs=_inputs(workload, group.mask, folder),
                outputs=workload.outputs,
                work=folder,
                update=counter.part(group.name),
                on=group.runtimes,
                macs=macs,
            )
            started.append((group.mask, wait))
    runs = {name: replace(run, mask=mask) for mask, wait in started for name, run in wait().items()}
    return {runtime.name: runs[runtime.name] for runtime in on}


class _Group(NamedTuple):
    """Interpreters that run the same samples: those of ``mask``, or all if it is None."""

    name: str
    runtimes: Sequence[Runtime]
    mask: Mask | None
    samples: int


def _stratified_mask(workload: Workload, count: int) -> Mask:
    """Choose ``count`` samples, stratified by class, that do not depend on their order."""
    order = content_order(workload.inputs, DEFAULT_SEED)
    labels = None if workload.labels is None else workload.labels[order]
    chosen = choose_samples(Survey(count=len(workload), labels=labels), count, DEFAULT_SEED)
    return np.isin(np.arange(len(workload)), order[chosen])


def _inputs(workload: Workload, mask: Mask | None, folder: Path) -> Arrays:
    """Return the inputs of the samples in a mask; None selects all of them."""
    if mask is None:
        return workload.inputs
    if not mask.any():
        return {name: array[:0] for name, array in workload.inputs.items()}
    return {
        name: write_selected_rows(array, mask, folder / f"some-{index}.npy")
        for index, (name, array) in enumerate(workload.inputs.items())
    }


def partial_run_notes(
    runs: Mapping[str, Run], workload: Workload, idle: Mapping[Runtime, Sequence[str]]
) -> list[str]:
    """Return notes on the interpreters that did not run all samples, and why.

    ``idle`` maps interpreters that only loaded the model to the targets that are ruled out.
    """
    notes = [
        f"{runtime.name} only loaded the model, because {' and '.join(targets)}"
        f" {'fails' if len(targets) == 1 else 'fail'} a check that needs no run"
        for runtime, targets in idle.items()
        if runs[runtime.name].is_loaded_only
    ]
    partial = {
        name: run.samples for name, run in runs.items() if run.samples and run.failure is None
    }
    if partial:
        count = max(partial.values())
        names = " and ".join(
            "the reference kernels" if name == REFERENCE.name else name for name in partial
        )
        verb = "is" if partial.keys() == {"tflm"} else "are"
        notes.append(
            f"{count:,} of the {len(workload):,} samples {'was' if count == 1 else 'were'} run on"
            f" {names}, which {verb} slow: the model has"
            f" {model_macs(workload.model):,} multiply-accumulates"
        )
    return notes
