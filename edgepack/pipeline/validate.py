"""Validation of a .tflite file, whoever made it, without TensorFlow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from edgepack.arrays import Arrays
from edgepack.deviation import UNEVEN, Validation, hold_against_reference, known_defect
from edgepack.errors import ModelError
from edgepack.evaluation.score import Comparison, compare_output
from edgepack.gate import Gate
from edgepack.pipeline.contradictions import SingleRun, find_contradictions
from edgepack.pipeline.evidence import (
    budgets_of,
    gather,
    judge_all,
    require_arena,
    require_float_model,
    require_measurable,
)
from edgepack.pipeline.file import (
    File,
    Inputs,
    making_sense_of,
    read_file,
    read_float,
    read_inputs,
)
from edgepack.progress import Progress, Silent, ignore
from edgepack.quantize.affine import dequantize
from edgepack.quantize.inputs import quantize_inputs
from edgepack.recipe_file import read_recipe_file
from edgepack.report.validation import RuntimeValidation, ValidationReport
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.runtimes.arm64 import arm64_runtime
from edgepack.runtimes.latency import Latency
from edgepack.runtimes.processes import Interpreters, interpreters
from edgepack.scratch import temporary
from edgepack.target import Target, load_targets

_LITERT = RUNTIMES["litert"]
_FILE, _FLOAT = "file", "float"


def validate(
    gate: Gate, progress: Progress | None = None, *, verbose: bool = False
) -> ValidationReport:
    """Hold a .tflite file against targets, and run it on their interpreters.

    ``verbose`` lets the interpreters write to standard error. Raises an
    :class:`~edgepack.errors.EdgepackError` for what a user can cause or cure; that a model fails
    on a target is a result.
    """
    progress = progress or Silent()
    targets = load_targets(gate.targets)
    recipe_file = read_recipe_file(gate.recipe_file)
    budgets = {"the command": gate.budgets} | budgets_of(recipe_file)
    file = read_file(gate.model)
    floating = read_float(gate, file)
    if floating is None:
        require_float_model(budgets, targets)
    require_arena(gate.budgets, targets)
    with (
        temporary() as work,
        interpreters(
            _runtimes(gate, targets), jobs=gate.jobs, limits=gate.limits, verbose=verbose
        ) as running,
    ):
        with progress.step("load") as update:
            inputs = read_inputs(
                gate, file, recipe_file, work, update, has_float=floating is not None
            )
            require_measurable(budgets, targets, measured=bool(inputs.measures))
        with progress.step("run") as update:
            runs = running.run(
                model=file.path,
                inputs=inputs.taken,
                outputs=file.outputs,
                work=work,
                update=update,
            )
            single = SingleRun(
                path=file.path,
                inputs=inputs.taken,
                outputs=file.outputs,
                work=work,
                limits=gate.limits,
                verbose=verbose,
            )
            found = find_contradictions(file.model, single, runs.get(REFERENCE.name))
        with progress.step("compare"), making_sense_of(file.path):
            real = _run_float(gate, floating, file, inputs, work) if floating else None
            validation = hold_against_reference(runs, file.tensors, real, known_defect(file.model))
            comparison = _compare(gate, file, inputs, validation, real)
        with progress.step("time"):
            ran = [name for name, run in runs.items() if run.failure is None]
            latencies = _time(running, ran, file, floating, inputs, work)
    ratios = {
        name: each[_FILE].median_ms / each[_FLOAT].median_ms
        for name, each in latencies.items()
        if each.keys() >= {_FILE, _FLOAT}
    }
    with making_sense_of(file.path):
        evidence = gather(
            file.model,
            file.data,
            targets,
            validation,
            comparison,
            budgets,
            ratios,
            gate.limits,
            found,
        )
        judged = judge_all(targets, evidence)
    return ValidationReport(
        model=file.path.name,
        artifact=file.artifact,
        data=gate.data,
        samples=len(inputs),
        comparison=comparison,
        runtimes=_reports(validation, latencies, ratios),
        targets=judged,
        notes=(*_unchecked(targets), *validation.notes),
    )


def _unchecked(targets: Sequence[Target]) -> list[str]:
    """Say that nothing shows whether TFLM is bit-exact, where the reference kernels are missing."""
    why = REFERENCE.missing()
    is_wanted = any("tflm" in target.interpreters for target in targets)
    return [f"whether tflm is bit-exact was not checked: {why}"] if why and is_wanted else []


def _runtimes(gate: Gate, targets: Sequence[Target]) -> list[Runtime]:
    """Find the interpreters of the targets that are to be had here, and the reference kernels."""
    emulated = [arm64_runtime(gate.arm64)] if gate.arm64 else []
    wanted = {REFERENCE.name, *(name for target in targets for name in target.interpreters)}
    here = [
        runtime
        for runtime in (REFERENCE, *RUNTIMES.values())
        if runtime.name in wanted and runtime.missing() is None
    ]
    return here + emulated


def _run_float(gate: Gate, floating: File, file: File, inputs: Inputs, work: Path) -> Arrays:
    """Run the float model on LiteRT; returns its outputs, in real values, by the file's names.

    Converters name outputs as they like: those of the two models are matched by their order.
    """
    folder = work / _FLOAT
    folder.mkdir()
    with interpreters([_LITERT], jobs=gate.jobs, limits=gate.limits) as running:
        run = running.run(
            model=floating.path,
            inputs=quantize_inputs(inputs.real, floating.model.main.input_tensors, folder),
            outputs=floating.outputs,
            work=folder,
            update=ignore,
        )[_LITERT.name]
    if run.outputs is None:
        why = run.failure or f"its {UNEVEN}"
        raise ModelError(f"{floating.path}: nothing can be compared with it on LiteRT: {why}")
    return {
        name: dequantize(run.outputs[own], tensor)
        for name, (own, tensor) in zip(file.outputs, floating.tensors.items(), strict=True)
    }


def _time(
    running: Interpreters,
    ran: Collection[str],
    file: File,
    floating: File | None,
    inputs: Inputs,
    work: Path,
) -> dict[str, dict[str, Latency]]:
    """Time the file, in turn with its float model if there is one, by interpreter that ran it."""
    timed = {_FILE: file, _FLOAT: floating} if floating else {_FILE: file}
    taken = {_FILE: inputs.taken, _FLOAT: inputs.real}
    return running.latencies(
        models={name: each.path for name, each in timed.items() if each},
        inputs={name: taken[name] for name in timed},
        work=work,
        on=ran,
    )


def _scheme(path: Path) -> str:
    """Name what the file was quantized to by the file, unless the report means another by that."""
    return path.name if path.stem in ("metric", "float", "pruned") else path.stem


def _compare(
    gate: Gate, file: File, inputs: Inputs, validation: Validation, real: Arrays | None
) -> Comparison | None:
    """Compare what the interpreters gave with the float model's outputs; None without those."""
    if real is None:
        return None
    return Comparison(
        scheme=_scheme(file.path),
        data=gate.data,
        samples=len(inputs),
        outputs={
            name: compare_output(
                wanted,
                None,
                validation.real_outputs(name, tensor),
                inputs.measures.get(name),
            )
            for (name, tensor), wanted in zip(file.tensors.items(), real.values(), strict=True)
        },
    )


def _reports(
    validation: Validation, latencies: dict[str, dict[str, Latency]], ratios: dict[str, float]
) -> dict[str, RuntimeValidation]:
    return {
        name: RuntimeValidation(
            version=run.version,
            failure=run.failure,
            deviations=validation.deviations.get(name, {}),
            latency=latencies.get(name, {}).get(_FILE),
            latency_ratio=ratios.get(name),
            peak_memory_bytes=run.peak_memory_bytes,
        )
        for name, run in validation.runs.items()
    }
