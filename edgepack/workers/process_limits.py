"""Limits on the memory and time of this process.

Memory is limited on Linux only: macOS refuses such limits, or does not enforce them. Windows has no
limits and timers of this kind at all. What a system lacks is not limited.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edgepack.core.system_name import system_name
from edgepack.workers.memory import has_accelerator, writable_memory

with suppress(ImportError):  # Windows has none
    import resource

LIMITS_MEMORY = sys.platform == "linux"
"""Whether this system can limit the memory of a process."""


def missing_limits() -> str | None:
    """Return a sentence that says which limits this system does not have; None if it has all."""
    if LIMITS_MEMORY:
        return None
    what = "memory and time" if sys.platform == "win32" else "memory"
    return f"the {what} of processes cannot be limited: it is not supported on {system_name()}"


def limit_process(*, memory_bytes: int | None = None, data_bytes: int | None = None) -> None:
    """Limit this process for good; it leaves no core dump.

    ``memory_bytes`` limits its address space, and the size of each file that it writes;
    ``data_bytes`` its writable memory. The signals of limits of time end it from now on, even if
    the process that started it ignores or blocks them, which it inherits.
    """
    if sys.platform == "win32":
        return
    ending = (signal.SIGALRM, signal.SIGXCPU)
    for each in ending:
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
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
    used = writable_memory()
    if sys.platform == "win32" or used is None or has_accelerator():
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
