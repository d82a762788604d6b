"""Checks of the budgets for memory and latency, of a command, a project file or a target."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.device_memory import flash_bytes, footprint_on
from edgepack.checks.evidence import Evidence
from edgepack.checks.loss_budgets import budgets_for
from edgepack.core.findings import Finding
from edgepack.devices.target import Target


def flash_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Model and runtime take no more flash than max_flash, in bytes."""
    needed = flash_bytes(target, evidence)
    for source, budgets in budgets_for(target, evidence):
        if budgets.max_flash is not None and needed > budgets.max_flash:
            yield Finding(
                message=f"model and runtime take {needed:,} bytes of flash, more than max_flash"
                f" {budgets.max_flash:,} of {source}"
            )


def arena_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The arena on a microcontroller is no larger than max_arena, in bytes."""
    if (footprint := footprint_on(target, evidence)) is None:
        return
    for source, budgets in budgets_for(target, evidence):
        if budgets.max_arena is not None and footprint.arena.least > budgets.max_arena:
            yield Finding(
                message=f"the arena takes {footprint.arena.least:,} bytes, more than max_arena"
                f" {budgets.max_arena:,} of {source}"
            )


def latency_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The model takes no more than max_latency_ratio of the float model's time on this machine.

    An interpreter that does not run both models has no ratio, and fails.
    """
    for source, budgets in budgets_for(target, evidence):
        limit = budgets.max_latency_ratio
        for name in target.interpreters if limit is not None else ():
            ratio = evidence.latency_ratios.get(name)
            if evidence.is_timed and name in evidence.runs and ratio is None:
                yield Finding(
                    message=f"max_latency_ratio of {source}: {name} does not run both models",
                    cure="remove the budget, or the target",
                )
            if ratio is not None and limit is not None and ratio > limit:
                yield Finding(
                    message=f"{name} takes {ratio:.2f} of the float model's time on this machine,"
                    f" more than max_latency_ratio {limit:g} of {source}"
                )
