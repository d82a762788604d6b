"""Checks of the budgets that users set: for a command, in a project file, in a target."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.device_memory import flash_bytes, footprint_on
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import Budgets
from edgepack.core.findings import Finding
from edgepack.devices.target import Target


def drop_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Quantization costs no more than max_drop: points, percent of an error, dB, or as it is."""
    for whose, budgets in _all(target, evidence):
        for name in target.interpreters:
            drop, limit = evidence.drops.get(name), budgets.max_drop
            if drop is not None and limit is not None and drop.amount > limit:
                yield Finding(
                    message=f"on {name} {drop}, more than max_drop {limit:g} of {whose}",
                    cure="see which layers lose it with edgepack debug",
                )


def flash_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Model and runtime take no more flash than max_flash, in bytes."""
    needed = flash_bytes(target, evidence)
    for whose, budgets in _all(target, evidence):
        if budgets.max_flash is not None and needed > budgets.max_flash:
            yield Finding(
                message=f"{needed:,} bytes of flash are taken, more than max_flash"
                f" {budgets.max_flash:,} of {whose}"
            )


def arena_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The arena on a microcontroller is no larger than max_arena, in bytes."""
    if (footprint := footprint_on(target, evidence)) is None:
        return
    for whose, budgets in _all(target, evidence):
        if budgets.max_arena is not None and footprint.arena.least > budgets.max_arena:
            yield Finding(
                message=f"the arena takes {footprint.arena.least:,} bytes, more than max_arena"
                f" {budgets.max_arena:,} of {whose}"
            )


def latency_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The model takes no more than max_latency_ratio of its float model's time, on this machine.

    An interpreter that does not run both of them has no ratio, and fails.
    """
    for whose, budgets in _all(target, evidence):
        limit = budgets.max_latency_ratio
        for name in target.interpreters if limit is not None else ():
            ratio = evidence.latency_ratios.get(name)
            if evidence.is_timed and name in evidence.runs and ratio is None:
                yield Finding(
                    message=f"max_latency_ratio of {whose}: {name} does not run both models",
                    cure="leave the budget out, or the target",
                )
            if ratio is not None and limit is not None and ratio > limit:
                yield Finding(
                    message=f"{name} takes {ratio:.2f} of the float model's time on this machine,"
                    f" more than max_latency_ratio {limit:g} of {whose}"
                )


def _all(target: Target, evidence: Evidence) -> Iterator[tuple[str, Budgets]]:
    """Give every budget that counts; the strictest decides."""
    yield from evidence.budgets.items()
    yield "the target", target.budgets
