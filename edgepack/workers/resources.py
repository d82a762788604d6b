"""The memory of the machine, and limits on the memory and time of this process."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KIB = 1 << 10
_STATUS = Path("/proc/self/status")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_bytes() -> int | None:
    """Return the memory of the machine or control group in bytes; None if it is no usable limit.

    That is so with an accelerator, whose driver reserves address space.
    """
    if _has_accelerator():
        return None
    limits = []
    with suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # "max" if the control group has no limit
        limits.append(int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return min(limits, default=None)


@contextmanager
def limited_memory_growth(more: int) -> Iterator[None]:
    """Limit the memory of this process to ``more`` bytes above its current use, in the context.

    The limit is on writable memory (RLIMIT_DATA), not on files that are mapped for reading.
    Allocations beyond it fail: numpy raises MemoryError, TensorFlow ResourceExhaustedError. There
    is no limit where the system does not report the current use (it is Linux that does), and with
    an accelerator.
    """
    used = _data_bytes()
    if used is None or _has_accelerator():
        yield
        return
    with _limited(resource.RLIMIT_DATA, used + more):
        yield


@contextmanager
def limited_processor_time(more_s: float) -> Iterator[None]:
    """Limit this process to ``more_s`` more seconds of processor time, in the context.

    Beyond that, the system ends the process by SIGXCPU (RLIMIT_CPU), whatever native code is
    running.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    with _limited(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + more_s)):
        yield


@contextmanager
def _limited(kind: int, limit: int) -> Iterator[None]:
    """Lower a resource limit of this process in the context, unless it is lower already."""
    soft, hard = resource.getrlimit(kind)
    limits = [limit, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.setrlimit(kind, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def _data_bytes() -> int | None:
    """Return the writable memory of this process in bytes; None if it is not reported."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = (int(line.split()[1]) * _KIB for line in lines if line.startswith("VmData:"))
    return next(sizes, None)


def _has_accelerator() -> bool:
    """Whether there is an accelerator whose driver reserves address space for device memory."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()
