"""What must hold for a model to pass on a target: small functions, documented by docstrings.

A check gives what it found, nothing if all is well. Those of the file look at the model alone;
those of its runs look at what the interpreters showed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.checks import conditions
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
from edgepack.checks.operators import data_types_are_taken, operators_are_known, operators_are_taken
from edgepack.checks.type_combinations import combinations_are_run, combinations_come_out_right
from edgepack.checks.within_budgets import (
    arena_is_in_budget,
    drop_is_in_budget,
    flash_is_in_budget,
    latency_is_in_budget,
)
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model

OF_THE_FILE: dict[Callable[[Model, Target], Iterator[Finding]], tuple[Condition, ...]] = {
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

OF_ITS_RUNS: _OfRuns = {
    interpreters_run: (),
    file_makes_sense: (),
    micro_is_bit_exact: (conditions.RUNS_TFLM, conditions.IS_COMPARED),
    flash_fits: (conditions.HAS_FLASH,),
    ram_fits: (conditions.HAS_RAM,),
    xnnpack_takes_all: (conditions.HAS_XNNPACK,),
    npu_takes_all: (conditions.HAS_NPU, conditions.IS_COMPILED),
    npu_plan_fits: (conditions.HAS_NPU, conditions.IS_COMPILED),
    drop_is_in_budget: (conditions.is_set("max_drop"),),
    flash_is_in_budget: (conditions.is_set("max_flash"),),
    arena_is_in_budget: (conditions.is_set("max_arena"), conditions.HAS_ARENA),
    latency_is_in_budget: (conditions.is_set("max_latency_ratio"),),
}
"""Checks of what running the model showed, likewise."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one check, by its name, found; ``why_not`` says why it does not apply to the target."""

    check: str
    findings: tuple[Finding, ...]
    why_not: str | None = None

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that are more than notes."""
        return tuple(finding for finding in self.findings if not finding.is_note)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that fail nothing."""
        return tuple(finding for finding in self.findings if finding.is_note)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a target can run the model, and if not, why.

    ``results`` has an entry for each check; ``missing`` says in sentences what could not be
    checked, because a package is not installed here.
    """

    results: tuple[Result, ...]
    missing: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(result.failures for result in self.results)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that was found, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model fails."""
        failures = (finding for result in self.results for finding in result.failures)
        return tuple(dict.fromkeys(map(str, failures)))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as reports name them."""
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


OF_ITS_SIZE: tuple[Callable[[Target, Evidence], Iterator[Finding]], ...] = (
    flash_fits,
    flash_is_in_budget,
)
"""Those of its runs that need none: the size of the file is enough."""


def rules_out(target: Target, evidence: Evidence) -> bool:
    """Whether a target cannot run the model, as can be told before anything is run."""
    of_its_size: _OfRuns = {check: OF_ITS_RUNS[check] for check in OF_ITS_SIZE}
    results = (
        *_of_the_file(target, evidence),
        *_of_its_runs(target, evidence, of_its_size),
    )
    return any(result.failures for result in results)


def judge(target: Target, evidence: Evidence, missing: tuple[str, ...] = ()) -> Verdict:
    """Apply every check to a target, but for those that do not apply to it."""
    results = (*_of_the_file(target, evidence), *_of_its_runs(target, evidence, OF_ITS_RUNS))
    return Verdict(results=results, missing=missing)


def _of_the_file(target: Target, evidence: Evidence) -> Iterator[Result]:
    for check, needed in OF_THE_FILE.items():
        yield _result(check.__name__, needed, target, evidence, check(evidence.model, target))


def _of_its_runs(
    target: Target,
    evidence: Evidence,
    checks: _OfRuns,
) -> Iterator[Result]:
    for check, needed in checks.items():
        yield _result(check.__name__, needed, target, evidence, check(target, evidence))


def _result(
    check: str,
    needed: tuple[Condition, ...],
    target: Target,
    evidence: Evidence,
    found: Iterator[Finding],
) -> Result:
    unmet = (each.otherwise for each in needed if not each.holds(target, evidence))
    why_not = next(unmet, None)
    # The check begins when its findings are taken.
    return Result(check=check, findings=() if why_not else tuple(found), why_not=why_not)


def documentation() -> dict[str, str]:
    """Tell the rule of each check, by its name: its docstring."""
    return {
        check.__name__: " ".join((check.__doc__ or "").split())
        for check in (*OF_THE_FILE, *OF_ITS_RUNS)
    }
