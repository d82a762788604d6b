"""A model of a firmware: run by TensorFlow Lite Micro, sized, and judged for the target."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from edgepack.config.firmware import FirmwareConfig
from edgepack.config.labels import output_with_labels
from edgepack.core.errors import ConversionError
from edgepack.core.findings import Finding
from edgepack.core.progress import Update
from edgepack.devices.target import Target
from edgepack.emit.c.c_identifiers import end_identifiers
from edgepack.emit.c.firmware_model import FirmwareModel
from edgepack.emit.tflm.model_settings import elements
from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.footprint import Arena
from edgepack.footprint.flash import operator_names
from edgepack.load.tflite_file import of_file
from edgepack.pipeline.firmware_project.read_models import ModelInputs
from edgepack.pipeline.firmware_project.vectors import test_vectors, vector_inputs
from edgepack.pipeline.steps.check import gather, judge_all
from edgepack.pipeline.steps.run import Workload
from edgepack.pipeline.validation.read_inputs import ValidatedFile, making_sense_of
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.report.data.firmware import ModelReport
from edgepack.report.data.target import TargetReport
from edgepack.runtimes import REFERENCE, TFLM
from edgepack.runtimes.installed import installed
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run

_ALIGNMENT = 16


def prepare(
    build: FirmwareConfig,
    target: Target,
    name: str,
    asked: ModelInputs,
    running: Interpreters,
    work: Path,
    update: Update,
) -> tuple[FirmwareModel, ModelReport]:
    """Run a model for its test vectors and its arena, and judge it; ``work`` is its own folder.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what does not fit the model, and for
    one that TensorFlow Lite Micro does not run.
    """
    file = asked.file
    described = asked.project_file.described(file.signature)
    if asked.labels_file:
        output_with_labels(asked.labels_file, asked.labels, file.signature.outputs)
    main = file.model.main
    inputs, outputs = (
        end_identifiers(main.input_tensors, "input"),
        end_identifiers(main.output_tensors, "output"),
    )
    with of_file(file.path):
        for end in (*inputs, *outputs):
            elements(end)  # raises for what holds no values
    samples = vector_inputs(file, asked.test, asked.project_file, build.vectors, work, update)
    copy = work / "model.tflite"  # what was read, be it a pipe, and under a name of this length
    copy.write_bytes(file.data)
    workload = Workload(path=copy, model=file.model, inputs=samples, outputs=file.outputs)
    runs = running.run(
        model=copy,
        inputs=samples,
        outputs=file.outputs,
        work=work,
        update=update,
        on=installed([TFLM, REFERENCE]),
    )
    run = runs[TFLM.name]
    found = find_contradictions(running, workload, runs.get(REFERENCE.name), work)
    judged = _judge(target, file, run, found)
    if run.outputs is None or judged.footprint is None:
        raise ConversionError(f"{file.path}: {'; '.join(judged.verdict.reasons)}")
    arena_bytes = _arena_bytes(judged.footprint.arena, build.arena_margin_percent)
    with of_file(file.path):
        golden = test_vectors(file.model, samples, run.outputs)
    model = FirmwareModel(
        name=name,
        data=file.data,
        model=file.model,
        inputs=inputs,
        outputs=outputs,
        arena_bytes=arena_bytes,
        preprocessing=described,
        labels=asked.labels,
        device=target.description,
        vectors=golden,
    )
    return model, ModelReport(
        file=file.path.name,
        artifact=file.artifact,
        inputs=file.signature.inputs,
        outputs=file.signature.outputs,
        operators=tuple(operator_names(file.model)),
        arena_bytes=arena_bytes,
        ram_bytes=arena_bytes + judged.footprint.runtime_ram_bytes,
        vectors=len(model.vectors),
        data="random" if asked.test is None else "test",
        target=judged,
    )


def _judge(target: Target, file: ValidatedFile, run: Run, found: Sequence[Finding]) -> TargetReport:
    validation = ReferenceComparison(runs={TFLM.name: run}, deviations={}, notes=())
    with making_sense_of(file.path):
        evidence = gather(
            file.model, file.data, [target], validation, None, {}, contradictions=found
        )
        return judge_all([target], evidence)[target.name]


def _arena_bytes(arena: Arena, margin_percent: float) -> int:
    """Size the arena: what TFLM needs to start, in any build, and the margin, in steps of 16."""
    needed = ceil((arena.least + arena.reserve) * (1 + margin_percent / 100))
    return -(-needed // _ALIGNMENT) * _ALIGNMENT
