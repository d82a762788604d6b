"""How many samples slow kernels run: as many as a budget of multiply-accumulates allows.

Plain C++ kernels take a hundred times as long as those that phones have. What they take is told by
``Runtime.mac_ns``, which is about what a core of a desktop of the 2020s needs for int8, measured
on the models of MLPerf Tiny and on ResNet-50; never by the clock, so that the same samples are run
on every machine. Optimized kernels run them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from edgepack.runtimes import Runtime

BUDGET_S = 8.0
"""What one of the slow ones may take of a core, but for at least one sample."""

_SAMPLE_S = 0.5e-3
"""What a sample takes besides: the time of the interpreter in Python, and of its files."""

_WORTH_S = 1.0
"""So much work is worth the start of a process."""

_MOST_MACS = 1 << 60  # a damaged file may have any shapes
_NS_PER_S = 1e9


def affordable(runtimes: Iterable[Runtime], macs: int) -> int | None:
    """Tell how many samples of ``macs`` multiply-accumulates the slowest runtime can afford.

    1 at least; None if none of them is slow.

    >>> from edgepack.runtimes import REFERENCE
    >>> affordable([REFERENCE], macs=4_000_000_000)
    2
    """
    slowest = max((runtime.mac_ns for runtime in runtimes if runtime.mac_ns), default=None)
    if slowest is None:
        return None
    if macs <= 0:  # where they cannot be told
        return None
    return max(1, int(BUDGET_S * _NS_PER_S / slowest) // macs)


def worthwhile_processes(runtime: Runtime, samples: int, macs: int) -> int:
    """Tell how many processes of a runtime so many samples are worth, 1 at least.

    Kernels that use several cores themselves gain by more processes for what they do not do alone.
    """
    own_ns = runtime.mac_ns if runtime.is_single_threaded and runtime.mac_ns else 0.0
    sample_s = _SAMPLE_S + min(macs, _MOST_MACS) * own_ns / _NS_PER_S
    return max(1, ceil(samples * sample_s / _WORTH_S))
