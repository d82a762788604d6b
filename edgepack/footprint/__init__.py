"""Placeholder."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.types import Model


@dataclass(frozen=True, kw_only=True)
class Arena:
    planned: int
    persistent: int
    scratch: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Footprint:
    arena: Arena
    runtime_flash_bytes: int
    runtime_ram_bytes: int
    flash_bytes: int
    ram_bytes: int
    notes: tuple[str, ...]


def footprint(model: Model, model_bytes: int, allocations: int, kernels: str) -> Footprint:
    return Footprint(
        arena=Arena(planned=allocations, persistent=0, scratch=0, total=allocations),
        runtime_flash_bytes=50000,
        runtime_ram_bytes=2000,
        flash_bytes=model_bytes + 50000,
        ram_bytes=allocations + 2000,
        notes=(),
    )
