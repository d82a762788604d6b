"""Preparation of a firmware's model: run on TFLM, its arena sized, and judged for the target."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from edgepack.config.firmware import FirmwareConfig
from edgepack.config.labels import find_labelled_output, require_class_order
from edgepack.core.errors import ConversionError
from edgepack.core.findings import Finding
from edgepack.core.progress import Update
from edgepack.devices.target import Target
from edgepack.emit.c.c_identifiers import c_io_tensors
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.model_settings import element_count
from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.footprint import Arena
from edgepack.footprint.flash import operator_names
from edgepack.load.tflite_file import name_file_in_errors
from edgepack.pipeline.firmware_project.read_models import ModelInputs
from edgepack.pipeline.firmware_project.vectors import make_test_vectors, vector_inputs
from edgepack.pipeline.steps.check import gather_evidence, judge_targets
from edgepack.pipeline.steps.run import Workload
from edgepack.pipeline.validation.read_inputs import ParsedFile, reporting_damage
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.report.data.firmware import ModelReport
from edgepack.report.data.target import TargetReport
from edgepack.runtimes import REFERENCE, TFLM
from edgepack.runtimes.installed import installed_runtimes
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run

_ALIGNMENT = 16


def prepare_model(
    config: FirmwareConfig,
    target: Target,
    name: str,
    model_inputs: ModelInputs,
    running: Interpreters,
    work: Path,
    update: Update,
) -> tuple[FirmwareModel, ModelReport]:
    """Run a model for its test vectors and arena size, and judge it for the target.

    ``work`` is an empty folder for this model. Raises an
    :class:`~edgepack.core.errors.EdgepackError` for settings that do not fit the model, and for a
    model that TensorFlow Lite Micro does not run.
    """
    file = model_inputs.file
    described = model_inputs.project_file.described(file.signature)
    if model_inputs.labels_file:
        find_labelled_output(model_inputs.labels_file, model_inputs.labels, file.signature.outputs)
    main = file.model.main
    inputs, outputs = (
        c_io_tensors(main.input_tensors, "input"),
        c_io_tensors(main.output_tensors, "output"),
    )
    with name_file_in_errors(file.path):
        for end in (*inputs, *outputs):
            element_count(end)  # raises for a tensor without values
    samples, classes = vector_inputs(
        file, model_inputs.test, model_inputs.project_file, config.vectors, work, update
    )
    if model_inputs.labels_file:
        require_class_order(model_inputs.labels_file, model_inputs.labels, classes)
    copy = work / "model.tflite"  # the bytes that were read, even from a pipe, under a fixed name
    copy.write_bytes(file.data)
    workload = Workload(path=copy, model=file.model, inputs=samples, outputs=file.outputs)
    runs = running.run(
        model=copy,
        inputs=samples,
        outputs=file.outputs,
        work=work,
        update=update,
        on=installed_runtimes([TFLM, REFERENCE]),
    )
    run = runs[TFLM.name]
    contradictions = find_contradictions(running, workload, runs.get(REFERENCE.name), work)
    target_report = _judge(target, file, run, contradictions)
    if run.outputs is None or target_report.footprint is None:
        raise ConversionError(f"{file.path}: {'; '.join(target_report.verdict.reasons)}")
    arena_bytes = _arena_bytes(target_report.footprint.arena, config.arena_margin_percent)
    with name_file_in_errors(file.path):
        vectors = make_test_vectors(file.model, samples, run.outputs)
    model = FirmwareModel(
        name=name,
        data=file.data,
        model=file.model,
        inputs=inputs,
        outputs=outputs,
        arena_bytes=arena_bytes,
        preprocessing=described,
        labels=model_inputs.labels,
        device=target.description,
        vectors=vectors,
    )
    return model, ModelReport(
        file=file.path.name,
        artifact=file.artifact,
        inputs=file.signature.inputs,
        outputs=file.signature.outputs,
        operators=tuple(operator_names(file.model)),
        arena_bytes=arena_bytes,
        ram_bytes=arena_bytes + target_report.footprint.runtime_ram_bytes,
        vectors=len(model.vectors),
        data="random" if model_inputs.test is None else "test",
        target=target_report,
    )


def _judge(
    target: Target, file: ParsedFile, run: Run, contradictions: Sequence[Finding]
) -> TargetReport:
    validation = ReferenceComparison(runs={TFLM.name: run}, deviations={}, notes=())
    with reporting_damage(file.path):
        evidence = gather_evidence(
            file.model, file.data, [target], validation, None, {}, contradictions=contradictions
        )
        return judge_targets([target], evidence)[target.name]


def _arena_bytes(arena: Arena, margin_percent: float) -> int:
    """Return the arena size: TFLM's minimum in any build, plus the margin, in multiples of 16."""
    needed = ceil((arena.least + arena.reserve) * (1 + margin_percent / 100))
    return -(-needed // _ALIGNMENT) * _ALIGNMENT
