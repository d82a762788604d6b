"""Budgets: what a model may cost at most."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from edgepack.config.toml import checked_values, require_known, require_table
from edgepack.core.errors import TableError


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Limits that a user sets; None sets none.

    ``max_drop`` is what quantization may cost: points of a fraction such as
    accuracy, percent of an error, decibels, or as much as the metric gets worse.
    ``max_flash`` is in bytes, model and runtime together; ``max_arena`` in bytes, the smallest
    that TensorFlow Lite Micro can start in on the device.
    ``max_latency_ratio`` is the time of the model over that of its float model, on this machine.
    Raises :class:`TableError` for numbers that are no limits.
    """

    max_drop: float | None = None
    max_flash: int | None = None
    max_arena: int | None = None
    max_latency_ratio: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None and not 0 <= limit < float("inf"):
                raise TableError(f"{field.name} {limit}: must be a number from 0 on")


def parse_budgets(table: Any) -> Budgets:
    """Read a ``[budgets]`` table. Raises :class:`TableError` for what does not fit."""
    budgets = require_table("budgets", table)
    require_known(budgets, [field.name for field in fields(Budgets)], "[budgets] knows the keys")
    return Budgets(**checked_values(Budgets, budgets))
