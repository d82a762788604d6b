"""How much of the machine a process may take."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KIB = 1 << 10
_STATUS = Path("/proc/self/status")
_OF_GROUP = Path("/sys/fs/cgroup/memory.max")


def machine_bytes() -> int | None:
    """Tell how much memory there is for this process; None where that is no limit for it."""
    if _has_accelerator():
        return None
    found = []
    with suppress(ValueError, OSError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # "max" where the group has no limit
        found.append(int(_OF_GROUP.read_text(encoding="ascii")))
    return min(found, default=None)


@contextmanager
def growing_at_most(more: int) -> Iterator[None]:
    """Let this process take so many bytes more than it has now, and no more, meanwhile.

    Counts what it writes to (RLIMIT_DATA), not the files that it maps to read. What asks for more
    gets none: numpy raises MemoryError, TensorFlow ResourceExhaustedError. Without Linux's account
    of the process's memory there is no limit.
    """
    taken = _taken_bytes()
    if taken is None or _has_accelerator():
        yield
        return
    with _limited(resource.RLIMIT_DATA, taken + more):
        yield


@contextmanager
def computing_at_most(more_s: float) -> Iterator[None]:
    """Let this process compute for so many seconds of a processor, and end it after that.

    The system does it, by SIGXCPU (RLIMIT_CPU), whatever native code is at.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    with _limited(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + more_s)):
        yield


@contextmanager
def _limited(kind: int, most: int) -> Iterator[None]:
    """Lower a limit of this process meanwhile, where it is not lower already."""
    soft, hard = resource.getrlimit(kind)
    limits = [most, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.setrlimit(kind, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def _taken_bytes() -> int | None:
    """Read how much memory of this process it may write to; None where the system does not say."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    taken = (int(line.split()[1]) * _KIB for line in lines if line.startswith("VmData:"))
    return next(taken, None)


def _has_accelerator() -> bool:
    """Whether there is one whose driver takes address space by the memory of the device."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()
