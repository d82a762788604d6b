"""Checks of the budgets that users set for a command, in a project file or in a target."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.device_memory import flash_bytes, footprint_on
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import Budgets
from edgepack.core.findings import Finding
from edgepack.devices.target import Target


def drop_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Quantization costs at most max_drop: in points, percent of an error, dB, or the metric."""
    for source, budgets in _all(target, evidence):
        for name in target.interpreters:
            drop, limit = evidence.drops.get(name), budgets.max_drop
            if drop is not None and limit is not None and drop.amount > limit:
                yield Finding(
                    message=f"on {name} {drop}, more than max_drop {limit:g} of {source}",
                    cure="find the layers that cause it with edgepack debug",
                )


def flash_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Model and runtime take no more flash than max_flash, in bytes."""
    needed = flash_bytes(target, evidence)
    for source, budgets in _all(target, evidence):
        if budgets.max_flash is not None and needed > budgets.max_flash:
            yield Finding(
                message=f"model and runtime take {needed:,} bytes of flash, more than max_flash"
                f" {budgets.max_flash:,} of {source}"
            )


def arena_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The arena on a microcontroller is no larger than max_arena, in bytes."""
    if (footprint := footprint_on(target, evidence)) is None:
        return
    for source, budgets in _all(target, evidence):
        if budgets.max_arena is not None and footprint.arena.least > budgets.max_arena:
            yield Finding(
                message=f"the arena takes {footprint.arena.least:,} bytes, more than max_arena"
                f" {budgets.max_arena:,} of {source}"
            )


def latency_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The model takes no more than max_latency_ratio of the float model's time on this machine.

    An interpreter that does not run both models has no ratio, and fails.
    """
    for source, budgets in _all(target, evidence):
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


def _all(target: Target, evidence: Evidence) -> Iterator[tuple[str, Budgets]]:
    """Yield every budget that applies, with its source."""
    yield from evidence.budgets.items()
    yield "the target", target.budgets
