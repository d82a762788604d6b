"""How processes end: with all that they have started, and by which signal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

_WINDOWS_EXCEPTION = 0xC0000000
"""The lowest status of a process that Windows ended because of an error in native code."""

GROUP: dict[str, Any] = {
    # Ctrl-C reaches this process only, which ends the others.
    "start_new_session": True,
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # on Windows
}
"""The options of subprocess.Popen for a process that :func:`kill_group` can end."""


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process that was started with :data:`GROUP`, and the processes that it has started.

    Windows has no such groups: there, only the process itself is killed. Call it before the process
    is waited for or right after: later, its number may be that of another one.
    """
    if sys.platform == "win32":
        process.kill()
    else:
        _kill(process.pid)


def kill_own_group() -> None:
    """Kill this process, which was started with :data:`GROUP`, and those that it has started.

    On Windows, it does nothing.
    """
    if sys.platform != "win32":
        _kill(os.getpid())


def _kill(group: int) -> None:
    if sys.platform != "win32":
        # macOS refuses to signal a group in which all have ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def signal_name(status: int) -> str | None:
    """Return the name of the signal that killed a process, by its exit status; None if none did.

    Windows has numbered exceptions instead.

    >>> signal_name(-11), signal_name(0xC0000005)
    ('SIGSEGV', 'exception 0xC0000005')
    """
    if status >= _WINDOWS_EXCEPTION:
        return f"exception 0x{status:X}"
    if status >= 0:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
