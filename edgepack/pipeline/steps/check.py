"""What the interpreters showed, made ready for the checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgepack.checks import judge
from edgepack.checks.device_memory import flash_bytes, footprint_on, ram_bytes
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import Budgets
from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import ConfigError
from edgepack.core.findings import Finding
from edgepack.devices import ethos_u
from edgepack.devices.target import Target
from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.evaluation.scores import Comparison
from edgepack.footprint import Footprint, compute_footprint
from edgepack.report.data.target import TargetReport
from edgepack.runtimes import TFLM
from edgepack.runtimes.installed import missing, runtimes_named
from edgepack.runtimes.processes import LIMITS
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Model
from edgepack.workers.client import Limits


def gather(
    model: Model,
    data: bytes,
    targets: Iterable[Target],
    validation: ReferenceComparison,
    comparison: Comparison | None,
    budgets: Mapping[str, Budgets],
    latency_ratios: Mapping[str, float] | None = None,
    limits: Limits = LIMITS,
    contradictions: Sequence[Finding] = (),
) -> Evidence:
    """Put together what is known of a model, and of the ``data`` of its file.

    ``budgets`` are by who set them; ``limits`` are those of Vela. ``contradictions`` are what the
    reference kernels find wrong with the file.
    """
    runs = validation.runs
    return Evidence(
        model=model,
        model_bytes=len(data),
        contradictions=contradictions,
        runs=runs,
        deviations=validation.deviations,
        footprints=_footprints(model, len(data), targets, runs.get(TFLM.name)),
        drops=comparison.drops(runs) if comparison else {},
        latency_ratios=latency_ratios or {},
        is_timed=latency_ratios is not None,
        budgets=budgets,
        compilations=_compilations(data, targets, limits),
    )


def budgets_of(project_file: ProjectFile) -> dict[str, Budgets]:
    """Give the budgets of a project file, by its name."""
    return {str(project_file.path): project_file.budgets} if project_file.path else {}


def require_measurable(
    budgets: Mapping[str, Budgets], targets: Iterable[Target], *, measured: bool
) -> None:
    """Raise :class:`ConfigError` for a max_drop without labels to measure anything with."""
    for whose, each in _all(budgets, targets):
        if each.max_drop is not None and not measured:
            raise ConfigError(
                f"max_drop of {whose}: there is nothing to measure a drop with; give --test with"
                " labels, or --metric reconstruction-mse"
            )


def require_float_model(budgets: Mapping[str, Budgets], targets: Iterable[Target]) -> None:
    """Raise :class:`ConfigError` for a budget that only a float model can be held against."""
    for whose, each in _all(budgets, targets):
        for name in ("max_drop", "max_latency_ratio"):
            if getattr(each, name) is not None:
                raise ConfigError(
                    f"{name} of {whose}: there is no float model to compare with; give --float"
                )


def unmeasured(budgets: Mapping[str, Budgets], targets: Iterable[Target]) -> Iterator[str]:
    """Say which budgets an export does not measure."""
    for whose, each in _all(budgets, targets):
        if each.max_latency_ratio is not None:
            yield f"max_latency_ratio of {whose} was not measured; edgepack validate does"


def require_arena(budgets: Budgets, targets: Iterable[Target]) -> None:
    """Raise :class:`ConfigError` for the command's max_arena if no target has an arena."""
    if budgets.max_arena is not None and not any(target.kernels for target in targets):
        raise ConfigError("max_arena: none of the targets has an arena; name a microcontroller")


def _all(
    budgets: Mapping[str, Budgets], targets: Iterable[Target]
) -> Iterator[tuple[str, Budgets]]:
    yield from budgets.items()
    yield from ((f"the target {target.name}", target.budgets) for target in targets)


def judge_all(targets: Iterable[Target], evidence: Evidence) -> dict[str, TargetReport]:
    """Apply the checks to every target."""
    return {
        target.name: TargetReport(
            target=target,
            verdict=judge(target, evidence, _missing(target)),
            flash_bytes=flash_bytes(target, evidence),
            ram_bytes=ram_bytes(target, evidence),
            footprint=footprint_on(target, evidence),
            compilation=evidence.compilations.get(target.accelerator or ""),
        )
        for target in targets
    }


def _missing(target: Target) -> tuple[str, ...]:
    """Say in sentences which of a target's interpreters and tools are not to be had here."""
    said = missing(runtimes_named(target.interpreters))
    compiler = ethos_u.why_no_vela() if target.accelerator else None
    return (*said, compiler) if compiler else said


def _compilations(
    data: bytes, targets: Iterable[Target], limits: Limits
) -> dict[str, ethos_u.Compilation]:
    """Let Vela compile a file for the accelerators of targets, if it is installed."""
    if ethos_u.why_no_vela():
        return {}
    names = {target.accelerator for target in targets if target.accelerator}
    return {name: ethos_u.compile_for(name, data, limits=limits) for name in sorted(names)}


def _footprints(
    model: Model, model_bytes: int, targets: Iterable[Target], run: Run | None
) -> dict[str, Footprint]:
    """Compute what the model takes on microcontrollers, by their kernels, if TFLM runs it."""
    if run is None or run.allocations is None:
        return {}
    kernels = {target.kernels for target in targets if target.kernels}
    return {
        name: compute_footprint(model, model_bytes, run.allocations, name)
        for name in sorted(kernels)
    }
