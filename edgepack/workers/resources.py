"""The memory of the machine and of this process, and limits on its memory and time.

Memory is limited on Linux only: macOS refuses such limits, or does not enforce them. Windows has no
limits and timers of this kind at all. What a system lacks is not limited.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

with suppress(ImportError):  # Windows has none
    import resource

LIMITS_MEMORY = sys.platform == "linux"
"""Whether this system can limit the memory of a process."""

_KIB = 1 << 10
_PROCESS = Path("/proc/self")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_bytes() -> int | None:
    """Return the memory of the machine or control group in bytes; None if it is no usable limit.

    That is so with an accelerator, whose driver reserves address space, and where the system does
    not limit memory.
    """
    if sys.platform != "linux" or _has_accelerator():
        return None
    limits = []
    with suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # "max" if the control group has no limit
        limits.append(int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return min(limits, default=None)


def missing_limits() -> str | None:
    """Return a sentence that says which limits this system does not have; None if it has all."""
    if LIMITS_MEMORY:
        return None
    what = "memory and time" if sys.platform == "win32" else "memory"
    return f"the {what} of processes cannot be limited: it is not supported on {sys.platform}"


def limit_process(*, memory_bytes: int | None = None, data_bytes: int | None = None) -> None:
    """Limit this process for good; it leaves no core dump.

    ``memory_bytes`` limits its address space, and the size of each file that it writes;
    ``data_bytes`` its writable memory.
    """
    if sys.platform == "win32":
        return
    _lower(resource.RLIMIT_CORE, 0)
    if memory_bytes:
        _lower(resource.RLIMIT_FSIZE, memory_bytes)
    if memory_bytes and LIMITS_MEMORY:
        _lower(resource.RLIMIT_AS, memory_bytes)
    if data_bytes and LIMITS_MEMORY:
        _lower(resource.RLIMIT_DATA, data_bytes)


def set_timer(seconds: float) -> None:
    """Let the system end this process in ``seconds`` by SIGALRM, whatever native code is running.

    It replaces an earlier timer; 0 stops that.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def limited_memory_growth(more: int) -> Iterator[None]:
    """Limit the memory of this process to ``more`` bytes above its current use, in the context.

    The limit is on writable memory (RLIMIT_DATA), not on files that are mapped for reading.
    Allocations beyond it fail: numpy raises MemoryError, TensorFlow ResourceExhaustedError. There
    is no limit where the system cannot limit memory, and with an accelerator.
    """
    used = _status_bytes("VmData")
    if sys.platform == "win32" or used is None or _has_accelerator():
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
    if sys.platform == "win32":
        yield
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    with _limited(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + more_s)):
        yield


def reset_peak_memory() -> None:
    """Reset the peak memory of this process that the kernel measures.

    First releases the memory of earlier models, which the C library may have kept. On other systems
    than Linux, the peak is since the process started.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # other libraries than glibc cannot release it
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5", encoding="ascii", newline="\n")


def read_peak_memory() -> int | None:
    """Return the peak memory of this process in bytes, since :func:`reset_peak_memory`.

    It is None on Windows, which does not report it to Python.
    """
    if sys.platform == "win32":
        return None
    # Not getrusage on Linux: its maximum starts with the memory of the parent process.
    if (peak := _status_bytes("VmHWM")) is not None:
        return peak
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def _status_bytes(name: str) -> int | None:
    """Return a size from Linux's status of this process in bytes; None if it is not reported."""
    try:
        status = (_PROCESS / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * _KIB if found else None


def _has_accelerator() -> bool:
    """Whether there is an accelerator whose driver reserves address space for device memory."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def _lower(kind: int, limit: int) -> None:
    """Set a resource limit of this process, at most to its hard limit."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(kind)
        soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (soft, hard))


@contextmanager
def _limited(kind: int, limit: int) -> Iterator[None]:
    """Lower a resource limit of this process in the context, unless it is lower already."""
    if sys.platform == "win32":
        yield
        return
    soft, hard = resource.getrlimit(kind)
    limits = [limit, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.setrlimit(kind, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))
