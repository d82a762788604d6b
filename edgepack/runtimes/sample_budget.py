"""The number of samples that slow kernels run, by a budget of multiply-accumulates.

Plain C++ kernels take a hundred times as long as those of phones. Their time is estimated by
``Runtime.mac_ns``, about the time that a core of a desktop computer of the 2020s needs for int8,
measured on the models of MLPerf Tiny and on ResNet-50. It is never measured by the clock, so that
every machine runs the same samples. Optimized kernels run all samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from edgepack.runtimes import Runtime

BUDGET_S = 8.0
"""The processor time that a slow runtime may use, unless a single sample takes longer."""

_SAMPLE_S = 0.5e-3
"""The time of a sample beyond its kernels: in Python, and to read and write files."""

_PROCESS_S = 1.0
"""The amount of work that is worth starting a process."""

_MAX_MACS = 1 << 60  # a damaged file may have any shapes
_NS_PER_S = 1e9


def affordable_samples(runtimes: Iterable[Runtime], macs: int) -> int | None:
    """Return how many samples of ``macs`` multiply-accumulates the slowest runtime can afford.

    At least 1; None if none of the runtimes is slow, or if ``macs`` is 0 because it is unknown.

    >>> from edgepack.runtimes import REFERENCE
    >>> affordable_samples([REFERENCE], macs=4_000_000_000)
    2
    """
    slowest = max((runtime.mac_ns for runtime in runtimes if runtime.mac_ns), default=None)
    if slowest is None:
        return None
    if macs <= 0:  # unknown
        return None
    return max(1, int(BUDGET_S * _NS_PER_S / slowest) // macs)


def worthwhile_processes(runtime: Runtime, samples: int, macs: int) -> int:
    """Return how many processes of a runtime are worth starting for these samples, at least 1.

    For kernels that use several cores themselves, only the time beyond the kernels counts.
    """
    kernel_ns = runtime.mac_ns if runtime.is_single_threaded and runtime.mac_ns else 0.0
    sample_s = _SAMPLE_S + min(macs, _MAX_MACS) * kernel_ns / _NS_PER_S
    return max(1, ceil(samples * sample_s / _PROCESS_S))
