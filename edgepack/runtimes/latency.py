"""Measure the latency of models on this machine, which differs from that of a device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgepack.core.progress import Update

_WARM_UP_RUNS = 3
_MIN_RUNS = 10
_MAX_RUNS = 2_000
_MIN_TOTAL_S = 0.2
_MAX_TOTAL_S = 10.0
_TURN_S = 0.02
_NS_PER_S = 1e9
_NS_PER_MS = 1e6


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Times of single invocations on this machine, in milliseconds, without copying the inputs."""

    median_ms: float
    p90_ms: float
    runs: int
    warm_up_runs: int
    threads: int


class TimedModel(Protocol):
    """A loaded model that has run a sample."""

    def invoke_again(self) -> None:
        """Run the sample again."""


def latencies(models: Sequence[TimedModel], threads: int, update: Update) -> list[Latency]:
    """Time models in turn, so that whatever slows the machine down slows all of them.

    A model runs at least 10 times and for 0.2 s in total, but no longer than 10 s in total and no
    more than 2,000 times. If its warm-up alone takes 10 s, that is its measurement. ``update`` is
    called for every run that may take long.
    """
    warm_ups = [_warm_up(model, update) for model in models]
    all_times: list[list[int]] = [runs if _is_long(runs) else [] for runs in warm_ups]
    while not all(map(_is_enough, all_times)):
        for model, times in zip(models, all_times, strict=True):
            if len(times) < _MAX_RUNS and not _is_long(times):
                _take_turn(model, times, update)
        update(min(map(len, all_times)), _MAX_RUNS)
    return [
        Latency(
            median_ms=float(np.median(times)) / _NS_PER_MS,
            p90_ms=float(np.percentile(times, 90)) / _NS_PER_MS,
            runs=len(times),
            warm_up_runs=0 if times is runs else len(runs),
            threads=threads,
        )
        for times, runs in zip(all_times, warm_ups, strict=True)
    ]


def _warm_up(model: TimedModel, update: Update) -> list[int]:
    """Run a model up to 3 times before it is timed, fewer if it is slow; returns times in ns."""
    times: list[int] = []
    while len(times) < _WARM_UP_RUNS and not _is_long(times):
        times.append(_time(model))
        update(0, _MAX_RUNS)
    return times


def _time(model: TimedModel) -> int:
    started = time.perf_counter_ns()
    model.invoke_again()
    return time.perf_counter_ns() - started


def _is_enough(times: Sequence[int]) -> bool:
    is_reliable = len(times) >= _MIN_RUNS and sum(times) / _NS_PER_S >= _MIN_TOTAL_S
    return is_reliable or _is_long(times) or len(times) >= _MAX_RUNS


def _is_long(times: Sequence[int]) -> bool:
    return sum(times) / _NS_PER_S >= _MAX_TOTAL_S


def _take_turn(model: TimedModel, times: list[int], update: Update) -> None:
    """Time the runs of 20 ms, one at least, after an untimed one: the cache is cold at first."""
    until = time.perf_counter_ns() + _TURN_S * _NS_PER_S
    model.invoke_again()
    update(len(times), _MAX_RUNS)
    while True:
        times.append(_time(model))
        if time.perf_counter_ns() >= until or len(times) >= _MAX_RUNS:
            return
