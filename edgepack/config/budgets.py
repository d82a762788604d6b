"""Budgets: upper limits on a model's accuracy loss, memory and latency."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from edgepack.config.toml import checked_values, require_known, require_table
from edgepack.core.errors import TableError


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Limits set by the user; None means no limit.

    ``max_drop`` limits the loss caused by quantization: percentage points for a fraction such as
    accuracy, percent for an error, decibels, or else the amount by which the metric worsens.
    ``max_flash`` is in bytes, for model and runtime together. ``max_arena`` is in bytes and limits
    the smallest arena in which TensorFlow Lite Micro can start on the device.
    ``max_latency_ratio`` is the model's latency divided by its float model's, on this machine.
    Raises :class:`TableError` for a limit that is negative, infinite or NaN.
    """

    max_drop: float | None = None
    max_flash: int | None = None
    max_arena: int | None = None
    max_latency_ratio: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None and not 0 <= limit < float("inf"):
                raise TableError(f"{field.name} {limit}: must be 0 or greater, and finite")


def parse_budgets(table: Any) -> Budgets:
    """Parse a ``[budgets]`` table. Raises :class:`TableError` for an unknown key or a bad value."""
    budgets = require_table("budgets", table)
    require_known(budgets, [field.name for field in fields(Budgets)], "[budgets] knows the keys")
    return Budgets(**checked_values(Budgets, budgets))
