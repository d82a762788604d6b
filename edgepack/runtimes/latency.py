"""Placeholder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Latency:
    median_ms: float
    p90_ms: float
    runs: int
    warm_up_runs: int
    threads: int
