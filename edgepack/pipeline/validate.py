"""Validation of a .tflite file, whoever made it, without TensorFlow."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgepack import bundle
from edgepack.arrays import Arrays
from edgepack.compare import Comparison, compare_output
from edgepack.deviation import Validation, hold_against_reference, known_defect
from edgepack.errors import ModelError
from edgepack.gate import Gate
from edgepack.pipeline.evidence import (
    budgets_of,
    gather,
    judge_all,
    require_float,
    require_measurable,
)
from edgepack.pipeline.file import File, Inputs, read_file, read_float, read_inputs
from edgepack.progress import Progress, Silent, ignore
from edgepack.quantize.affine import dequantize
from edgepack.quantize.inputs import quantize_inputs
from edgepack.recipe_file import read_recipe_file
from edgepack.report.validation import RuntimeValidation, ValidationReport
from edgepack.runtimes import REFERENCE, RUNTIMES
from edgepack.runtimes.processes import interpreters
from edgepack.target import load_target

_LITERT = RUNTIMES["litert"]


def validate(
    gate: Gate, progress: Progress | None = None, *, verbose: bool = False
) -> ValidationReport:
    """Hold a .tflite file against targets, and run it on their interpreters.

    ``verbose`` lets the interpreters write to standard error. Raises an
    :class:`~edgepack.errors.EdgepackError` for what a user can cause or cure; that a model fails
    on a target is a result.
    """
    progress = progress or Silent()
    targets = [load_target(name) for name in gate.targets]
    recipe_file = read_recipe_file(gate.recipe_file)
    budgets = {"the command": gate.budgets} | budgets_of(recipe_file)
    file = read_file(gate.model)
    floating = read_float(gate, file)
    if floating is None:
        require_float(budgets, targets)
    wanted = {REFERENCE.name, *(name for target in targets for name in target.interpreters)}
    runtimes = [
        runtime
        for runtime in (REFERENCE, *RUNTIMES.values())
        if runtime.name in wanted and runtime.missing() is None
    ]
    with (
        tempfile.TemporaryDirectory(prefix="edgepack-") as temporary,
        interpreters(runtimes, verbose=verbose) as running,
    ):
        work = Path(temporary)
        with progress.step("load") as update:
            inputs = read_inputs(gate, file, recipe_file, work, update)
        require_measurable(budgets, targets, measured=bool(inputs.measures))
        with progress.step("run") as update:
            runs = running.run(
                model=file.path,
                inputs=inputs.taken,
                outputs=file.outputs,
                work=work,
                update=update,
            )
        real = _run_float(floating, inputs, work) if floating else None
        validation = hold_against_reference(runs, file.tensors, real, known_defect(file.model))
        comparison = _compare(gate, file, inputs, validation, real)
        evidence = gather(file.model, len(file.data), targets, validation, comparison, budgets)
    return ValidationReport(
        model=file.path.name,
        artifact=bundle.describe(file.path),
        data="test" if gate.test is not None else "random",
        samples=len(inputs),
        comparison=comparison,
        runtimes=_runtimes(validation),
        targets=judge_all(targets, evidence),
        notes=validation.notes,
    )


def _run_float(floating: File, inputs: Inputs, work: Path) -> Arrays:
    """Run the float model on LiteRT; returns its outputs, in real values."""
    folder = work / "float"
    folder.mkdir()
    with interpreters([_LITERT]) as running:
        run = running.run(
            model=floating.path,
            inputs=quantize_inputs(inputs.real, floating.model.main.input_tensors, folder),
            outputs=floating.outputs,
            work=folder,
            update=ignore,
        )[_LITERT.name]
    if run.outputs is None:
        raise ModelError(f"{floating.path}: LiteRT cannot run it: {run.failure}")
    return {
        name: dequantize(run.outputs[name], tensor) for name, tensor in floating.tensors.items()
    }


def _compare(
    gate: Gate, file: File, inputs: Inputs, validation: Validation, real: Arrays | None
) -> Comparison | None:
    """Compare what the interpreters gave with the float model's outputs; None without those."""
    if real is None:
        return None
    ran = {name: run.outputs for name, run in validation.runs.items() if run.outputs is not None}
    return Comparison(
        scheme=file.path.stem,
        data="test" if gate.test is not None else "random",
        samples=len(inputs),
        outputs={
            name: compare_output(
                wanted,
                None,
                {runtime: dequantize(made[name], tensor) for runtime, made in ran.items()},
                inputs.measures.get(name),
            )
            for (name, tensor), wanted in zip(file.tensors.items(), real.values(), strict=True)
        },
    )


def _runtimes(validation: Validation) -> dict[str, RuntimeValidation]:
    return {
        name: RuntimeValidation(
            version=run.version,
            failure=run.failure,
            deviations=validation.deviations.get(name, {}),
            latency=None,
            latency_ratio=None,
            peak_memory_bytes=None,
        )
        for name, run in validation.runs.items()
    }
