"""Checks that a model must pass on a target: small functions, whose docstrings are the rules.

A check yields findings, none if the model passes. Checks of the file inspect the model alone;
checks of its runs inspect what running it on interpreters showed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.checks import conditions
from edgepack.checks.channels_are_represented import channels_are_represented
from edgepack.checks.collapsed_outputs import outputs_are_not_lost
from edgepack.checks.conditions import Condition
from edgepack.checks.delegation import (
    gpu_takes_all,
    npu_plan_fits,
    npu_takes_all,
    xnnpack_takes_all,
)
from edgepack.checks.device_memory import flash_fits, ram_fits
from edgepack.checks.evidence import Evidence
from edgepack.checks.fixed_shapes import shapes_are_fixed
from edgepack.checks.full_integer import nothing_is_left_in_float
from edgepack.checks.interpreter_runs import file_makes_sense, interpreters_run, micro_is_bit_exact
from edgepack.checks.loss_budgets import (
    agreement_is_in_budget,
    class_drop_is_in_budget,
    drop_is_in_budget,
    sqnr_is_in_budget,
)
from edgepack.checks.operators import data_types_are_taken, operators_are_known, operators_are_taken
from edgepack.checks.type_combinations import combinations_are_run, combinations_come_out_right
from edgepack.checks.within_budgets import (
    arena_is_in_budget,
    flash_is_in_budget,
    latency_is_in_budget,
)
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model

FILE_CHECKS: dict[Callable[[Model, Target], Iterator[Finding]], tuple[Condition, ...]] = {
    operators_are_known: (),
    operators_are_taken: (conditions.NAMES_OPERATORS,),
    data_types_are_taken: (),
    combinations_are_run: (),
    combinations_come_out_right: (),
    shapes_are_fixed: (conditions.IS_MICROCONTROLLER,),
    nothing_is_left_in_float: (conditions.DEMANDS_INTEGERS,),
    gpu_takes_all: (conditions.HAS_GPU,),
}
"""Checks of the model alone, and the conditions under which they apply."""

_OfRuns = dict[Callable[[Target, Evidence], Iterator[Finding]], tuple[Condition, ...]]

RUN_CHECKS: _OfRuns = {
    interpreters_run: (),
    file_makes_sense: (),
    micro_is_bit_exact: (conditions.RUNS_TFLM, conditions.IS_COMPARED),
    channels_are_represented: (conditions.HAS_CHANNELS,),
    flash_fits: (conditions.HAS_FLASH,),
    ram_fits: (conditions.HAS_RAM,),
    xnnpack_takes_all: (conditions.HAS_XNNPACK,),
    npu_takes_all: (conditions.HAS_NPU, conditions.IS_COMPILED),
    npu_plan_fits: (conditions.HAS_NPU, conditions.IS_COMPILED),
    outputs_are_not_lost: (conditions.IS_COMPARED_WITH_FLOAT,),
    drop_is_in_budget: (conditions.is_set("max_drop"),),
    class_drop_is_in_budget: (conditions.is_set("max_class_drop"),),
    agreement_is_in_budget: (conditions.is_set("min_agreement"),),
    sqnr_is_in_budget: (conditions.is_set("min_sqnr"),),
    flash_is_in_budget: (conditions.is_set("max_flash"),),
    arena_is_in_budget: (conditions.is_set("max_arena"), conditions.HAS_ARENA),
    latency_is_in_budget: (conditions.is_set("max_latency_ratio"),),
}
"""Checks of what running the model showed, and the conditions under which they apply."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The findings of one check, by its name.

    ``why_not`` says why the check does not apply to the target, None if it does.
    """

    check: str
    findings: tuple[Finding, ...]
    why_not: str | None = None

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that fail the check."""
        return tuple(finding for finding in self.findings if finding.is_failure)

    @property
    def undecided(self) -> tuple[Finding, ...]:
        """The findings about what the samples do not show."""
        return tuple(finding for finding in self.findings if finding.is_undecided)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are only notes."""
        return tuple(finding for finding in self.findings if finding.is_note)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a target can run the model, and if not, why.

    ``results`` has an entry for each check; ``missing`` are messages about what could not be
    checked because a package is not installed.
    """

    results: tuple[Result, ...]
    missing: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(result.failures for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether no check failed, and none is undecided."""
        return not self.failed and not self.undecided

    @property
    def undecided(self) -> tuple[Finding, ...]:
        """The findings about what the samples do not show."""
        return tuple(each for result in self.results for each in result.undecided)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failures as text, each once."""
        failures = (finding for result in self.results for finding in result.failures)
        return tuple(dict.fromkeys(map(str, failures)))

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict in the JSON form of reports."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "findings": [
                {"check": result.check} | asdict(finding)
                for result in self.results
                for finding in result.findings
            ],
            "missing": list(self.missing),
        }


SIZE_CHECKS: tuple[Callable[[Target, Evidence], Iterator[Finding]], ...] = (
    flash_fits,
    flash_is_in_budget,
)
"""Checks in :data:`RUN_CHECKS` that need no run, only the size of the file."""


def rules_out(target: Target, evidence: Evidence) -> bool:
    """Whether the file alone, before it is run, shows that a target cannot run the model."""
    checks_of_size: _OfRuns = {check: RUN_CHECKS[check] for check in SIZE_CHECKS}
    results = (
        *_of_the_file(target, evidence),
        *_of_its_runs(target, evidence, checks_of_size),
    )
    return any(result.failures for result in results)


def judge(target: Target, evidence: Evidence, missing: tuple[str, ...] = ()) -> Verdict:
    """Apply every check to a target, except those whose conditions it does not meet."""
    results = (*_of_the_file(target, evidence), *_of_its_runs(target, evidence, RUN_CHECKS))
    return Verdict(results=results, missing=missing)


def _of_the_file(target: Target, evidence: Evidence) -> Iterator[Result]:
    for check, required in FILE_CHECKS.items():
        yield _result(check.__name__, required, target, evidence, check(evidence.model, target))


def _of_its_runs(
    target: Target,
    evidence: Evidence,
    checks: _OfRuns,
) -> Iterator[Result]:
    for check, required in checks.items():
        yield _result(check.__name__, required, target, evidence, check(target, evidence))


def _result(
    check: str,
    required: tuple[Condition, ...],
    target: Target,
    evidence: Evidence,
    findings: Iterator[Finding],
) -> Result:
    unmet = (each.otherwise for each in required if not each.holds(target, evidence))
    why_not = next(unmet, None)
    # The check is a generator: it runs only if its findings are collected.
    return Result(check=check, findings=() if why_not else tuple(findings), why_not=why_not)


def documentation() -> dict[str, str]:
    """Return the rule of each check, which is its docstring, by its name."""
    return {
        check.__name__: " ".join((check.__doc__ or "").split())
        for check in (*FILE_CHECKS, *RUN_CHECKS)
    }
