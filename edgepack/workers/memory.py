"""The memory of the machine, and of this process."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):  # Windows has none
    import resource

_KIB = 1 << 10
_PROCESS = Path("/proc/self")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_bytes() -> int | None:
    """Return the memory of the machine or control group in bytes; None if it is no usable limit.

    That is so with an accelerator, whose driver reserves address space, and where the system does
    not limit memory.
    """
    if sys.platform != "linux" or has_accelerator():
        return None
    limits = []
    with suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # "max" if the control group has no limit
        limits.append(int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return min(limits, default=None)


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


def writable_memory() -> int | None:
    """Return the writable memory that this process has in bytes; None except on Linux."""
    return _status_bytes("VmData")


def _status_bytes(name: str) -> int | None:
    """Return a size from Linux's status of this process in bytes; None if it is not reported."""
    try:
        status = (_PROCESS / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * _KIB if found else None


def has_accelerator() -> bool:
    """Whether there is an accelerator whose driver reserves address space for device memory."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()
