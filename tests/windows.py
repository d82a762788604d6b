"""Let this Python pass for one on Windows, as far as edgepack can tell.

What only POSIX has is gone. The standard library and packages, which are loaded before, remain
those of this system. Run as a program, it is edgepack's command line, whose worker processes do the
same.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
import signal
import sys
import time
from typing import Any

from rooms import modules

_MODULES = (
    *("_posixshmem", "fcntl", "grp", "posix_ipc", "pty", "pwd", "resource", "spwd", "syslog"),
    *("termios", "tty"),
)
"""Modules, functions and constants that Windows lacks, but for those that this system's own
``subprocess`` needs to end a process."""

_FUNCTIONS = (
    *("chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups"),
    *("getpgid", "getpgrp", "getpriority", "getsid", "getuid", "killpg", "lchown", "mkfifo"),
    *("mknod", "nice", "pidfd_open", "sched_getaffinity", "setsid", "statvfs", "sysconf", "uname"),
)
_FLAGS = ("O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_SYNC")
_SIGNALS = (
    *("SIGALRM", "SIGHUP", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGXCPU", "SIGXFSZ"),
    *("ITIMER_REAL", "setitimer", "alarm", "pthread_kill", "sigwait"),
)
_CLOCKS = ("clock_gettime", "CLOCK_MONOTONIC")


class _Library(ctypes.CDLL):
    """Windows has no library without a name, which is the program itself elsewhere."""

    def __init__(self, name: Any, *arguments: Any, **options: Any) -> None:
        if name is None:
            raise TypeError("bad argument type for built-in operation")
        super().__init__(name, *arguments, **options)


def pretend() -> None:
    """Turn this process into one on Windows, in which edgepack is not imported yet."""
    import_all()  # and with it the packages that it uses
    for name in [name for name in sys.modules if name.partition(".")[0] == "edgepack"]:
        del sys.modules[name]
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # its import fails
    for module, names in ((os, _FUNCTIONS + _FLAGS), (signal, _SIGNALS), (time, _CLOCKS)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    ctypes.CDLL = _Library  # type: ignore[misc]
    shutil._use_fd_functions = False  # type: ignore[attr-defined]  # as shutil finds out there
    sys.platform = "win32"


def import_all() -> None:
    """Import every module of edgepack, but those of an interpreter that has no wheel here."""
    for name in modules():
        if name == "edgepack.__main__":  # it runs the command line
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != "tflite_runtime" or sys.version_info < (3, 12):
                raise


def main() -> None:
    """Run the command line."""
    pretend()
    from edgepack.cli import main as command_line
    from edgepack.workers import client

    adopted = "import windows; windows.pretend(); from edgepack"
    client._BOOT = client._BOOT.replace("from edgepack", adopted)
    command_line()


if __name__ == "__main__":
    main()
