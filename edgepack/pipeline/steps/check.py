"""Checks of a model against its targets: gathering the evidence, and judging it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from edgepack.checks import judge
from edgepack.checks.device_memory import flash_bytes, footprint_on, ram_bytes
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import LOSS_BUDGETS, Budgets
from edgepack.config.project_file import ProjectFile
from edgepack.config.validate import RANDOM
from edgepack.core.errors import ConfigError
from edgepack.core.findings import Finding
from edgepack.core.packages import VELA
from edgepack.devices import ethos_u
from edgepack.devices.target import Target
from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.evaluation.scores import Comparison
from edgepack.footprint import Footprint, compute_footprint
from edgepack.metrics.metric import Family, Measure
from edgepack.report.data.target import TargetReport
from edgepack.runtimes import TFLM
from edgepack.runtimes.installed import missing_packages, runtimes_named
from edgepack.runtimes.processes import LIMITS
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Model
from edgepack.workers.client import Limits


def gather_evidence(
    model: Model,
    data: bytes,
    targets: Iterable[Target],
    validation: ReferenceComparison,
    comparison: Comparison | None,
    budgets: Mapping[str, Budgets],
    latency_ratios: Mapping[str, float] | None = None,
    limits: Limits = LIMITS,
    contradictions: Sequence[Finding] = (),
    origin: CollapseOrigin | None = None,
) -> Evidence:
    """Collect everything that is known about a model; ``data`` is the content of its file.

    ``budgets`` are keyed by their source, for messages. ``limits`` apply to Vela.
    ``contradictions`` are the findings of the reference kernels about the file itself.
    ``latency_ratios`` are by runtime; None means that nothing was timed. ``origin`` is where a
    collapse of the outputs began, if it is known.
    """
    runs = validation.runs
    return Evidence(
        model=model,
        model_bytes=len(data),
        contradictions=contradictions,
        runs=runs,
        deviations=validation.deviations,
        footprints=_footprints(model, len(data), targets, runs.get(TFLM.name)),
        name=comparison.scheme if comparison else "the model",
        closeness=comparison.closeness() if comparison else {},
        is_real_data=comparison is None or comparison.data != RANDOM,
        origin=origin,
        channels={name: output.channels for name, output in comparison.outputs.items()}
        if comparison
        else {},
        latency_ratios=latency_ratios or {},
        is_timed=latency_ratios is not None,
        budgets=budgets,
        compilations=_compilations(data, targets, limits),
    )


COMMAND = "the command"
"""The source of budgets that are set for one run."""


def project_file_budgets(project_file: ProjectFile) -> dict[str, Budgets]:
    """Return the budgets of a project file by its path; empty without a file."""
    return {str(project_file.path): project_file.budgets} if project_file.path else {}


def target_budgets(targets: Iterable[Target]) -> dict[str, Budgets]:
    """Return the budgets that targets themselves set, by their source."""
    return {f"the target {target.name}": target.budgets for target in targets}


def require_drop_limit(budgets: Mapping[str, Budgets], targets: Iterable[Target]) -> None:
    """Raise :class:`ConfigError` for a not_shown of the command that applies to no limit.

    ``budgets`` are those of the command and of the project file.
    """
    if budgets[COMMAND].not_shown and not any(
        each.limits_drop for _, each in _all_budgets(budgets, targets)
    ):
        raise ConfigError(
            f"not_shown of {COMMAND}: there is no max_drop and no max_class_drop that it applies"
            " to; give one, or leave it out"
        )


def require_measurable(
    budgets: Mapping[str, Budgets],
    targets: Iterable[Target],
    measures: Collection[Measure],
    *,
    is_tested: bool,
    is_real_data: bool = True,
) -> None:
    """Raise :class:`ConfigError` for a budget that the data cannot show to be kept.

    ``measures`` are those of the outputs. ``is_tested`` says whether there is test data, which has
    no labels without a measure; ``is_real_data`` is False for random inputs.
    """
    has_classes = any(each.metric.family is Family.CLASSIFICATION for each in measures)
    why = "the test data has no labels, so " if is_tested else ""
    cure = (
        "add them, as 'y' or under the outputs' names, or choose"
        if is_tested
        else "give --test, with labels or with"
    )
    for source, each in _all_budgets(budgets, targets):
        if each.max_drop is not None and not measures:
            raise ConfigError(
                f"max_drop of {source}: {why}there is nothing to measure a drop with; {cure}"
                " --metric reconstruction-mse"
            )
        if each.max_class_drop is not None and not has_classes:
            raise ConfigError(
                f"max_class_drop of {source}: there are no classes to measure a drop of; give"
                " --test with class labels"
            )
        if each.min_agreement is not None and measures and not has_classes:
            raise ConfigError(
                f"min_agreement of {source}: by its labels no output predicts classes; give"
                " min_sqnr instead"
            )
        for name in ("min_agreement", "min_sqnr") if not is_real_data else ():
            if getattr(each, name) is not None:
                raise ConfigError(
                    f"{name} of {source}: random inputs do not show how close the model is on real"
                    " ones; give --test"
                )


def require_float_model(budgets: Mapping[str, Budgets], targets: Iterable[Target]) -> None:
    """Raise :class:`ConfigError` for a budget that can only be checked with a float model."""
    for source, each in _all_budgets(budgets, targets):
        for name in (*LOSS_BUDGETS, "max_latency_ratio"):
            if getattr(each, name) is not None:
                raise ConfigError(
                    f"{name} of {source}: there is no float model to compare with; give --float"
                )


def unmeasured_budget_notes(
    budgets: Mapping[str, Budgets], targets: Iterable[Target]
) -> Iterator[str]:
    """Yield a note for each budget that an export does not measure."""
    for source, each in _all_budgets(budgets, targets):
        if each.max_latency_ratio is not None:
            yield f"max_latency_ratio of {source} was not measured; edgepack validate does"


def require_arena(budgets: Budgets, targets: Iterable[Target]) -> None:
    """Raise :class:`ConfigError` for a max_arena of the command if no target has an arena."""
    if budgets.max_arena is not None and not any(target.kernels for target in targets):
        raise ConfigError("max_arena: none of the targets has an arena; name a microcontroller")


def loss_budgets(budgets: Mapping[str, Budgets], targets: Iterable[Target]) -> dict[str, Budgets]:
    """Return those of the budgets, and of the targets' own, that limit a loss, by their source."""
    return {source: each for source, each in _all_budgets(budgets, targets) if each.limits_loss}


def _all_budgets(
    budgets: Mapping[str, Budgets], targets: Iterable[Target]
) -> Iterator[tuple[str, Budgets]]:
    yield from budgets.items()
    yield from target_budgets(targets).items()


def judge_targets(targets: Iterable[Target], evidence: Evidence) -> dict[str, TargetReport]:
    """Apply the checks to every target; returns the reports by target name."""
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
    """Return sentences on the target's interpreters and tools that are not installed."""
    interpreters = missing_packages(runtimes_named(target.interpreters))
    compiler = VELA.missing() if target.accelerator else None
    return (*interpreters, compiler) if compiler else interpreters


def _compilations(
    data: bytes, targets: Iterable[Target], limits: Limits
) -> dict[str, ethos_u.Compilation]:
    """Compile a file with Vela for the accelerators of the targets; empty if not installed."""
    if VELA.missing():
        return {}
    names = {target.accelerator for target in targets if target.accelerator}
    return {name: ethos_u.compile_for(name, data, limits=limits) for name in sorted(names)}


def _footprints(
    model: Model, model_bytes: int, targets: Iterable[Target], run: Run | None
) -> dict[str, Footprint]:
    """Compute the model's memory on microcontrollers by kernels; empty if TFLM did not run it."""
    if run is None or run.allocations is None:
        return {}
    kernels = {target.kernels for target in targets if target.kernels}
    return {
        name: compute_footprint(model, model_bytes, run.allocations, name)
        for name in sorted(kernels)
    }
