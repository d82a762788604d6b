"""A process takes rights from itself: what it loads may be anybody's, and parsers have bugs.

On Linux, a process may give up for good, for itself and what it starts, to gain rights by what it
executes (``PR_SET_NO_NEW_PRIVS``), and to touch files beyond some (Landlock, from Linux 5.13 on).
The numbers are those of ``linux/landlock.h`` and ``linux/prctl.h``; the system calls of Landlock
have the same numbers on all architectures. Imports nothing that is not in the standard library.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))
_OF_VERSION_1 = (1 << 13) - 1
_SINCE = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
"""What else a later version of Landlock handles."""

_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""The rights that a rule for a file that is no folder may name."""

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _REFER | _MAKE_AND_REMOVE

_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/sys"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/passwd"),
    *("/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/devices"),
    *("/proc/filesystems", "/proc/modules", "/proc/driver"),
)
"""What libraries of the system read of it."""

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ACCELERATORS = ("nvidia*", "dri", "kfd")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (what drivers of accelerators use between processes)

_NET_SINCE, _SCOPE_SINCE = 4, 6
_TCP = 0b11  # to bind and to connect
_SCOPES = 0b11  # abstract sockets of, and signals to, processes that are not confined with it


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The files and folders that a process may read, and the folders that it may write, too.

    ``connects`` lets it use the network. The packages that it imports, and what they need of the
    system, go without saying.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    connects: bool = False


def enter_sandbox(confinement: Sandbox) -> str | None:
    """Take all other rights from this process; returns why not, where the system cannot do that.

    It works for the calling thread and those that it starts later. There is no way back.
    """
    if not sys.platform.startswith("linux"):
        return f"confinement is not supported on {sys.platform}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return _why("PR_SET_NO_NEW_PRIVS")
    version = libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    if version < 1:
        return _why("Landlock")
    handled = _OF_VERSION_1 | sum(bits for since, bits in _SINCE.items() if version >= since)
    # A kernel refuses a structure that is longer than the one it knows.
    kinds = [handled]
    if version >= _NET_SINCE:
        kinds.append(0 if confinement.connects else _TCP)
    if version >= _SCOPE_SINCE:
        kinds.append(_SCOPES)
    rules = (ctypes.c_uint64 * len(kinds))(*kinds)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return _why("Landlock")
    try:
        for path in (*_packages(), *_SYSTEM, *confinement.reads):
            _allow(libc, ruleset, path, _READ & handled)
        for path in (*_devices(), *confinement.writes):
            _allow(libc, ruleset, path, (_WRITE | _IOCTL_DEV) & handled)
        if libc.syscall(_RESTRICT_SELF, ruleset, 0):
            return _why("Landlock")
    finally:
        os.close(ruleset)
    return None


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    """Let what is at a path, and beneath it, be used; what is not there needs no rule."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        rule = _PathBeneath(access, place)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(place)


def _packages() -> Iterable[str]:
    """Name the folders that modules and their libraries come from, and Keras's settings."""
    ours = Path(__file__).parents[1]
    yield from {
        *(path for path in sys.path if any(Path(path).glob("*.dist-info"))),
        *sysconfig.get_paths().values(),
        *(sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix),
        *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep),
        str(ours),
        *(str(link.resolve()) for link in ours.iterdir() if link.is_symlink()),  # of a checkout
        *_settings_of_keras(),
    } - {"", os.curdir}


def _settings_of_keras() -> Iterable[str]:
    """Name the file that Keras reads when it is imported."""
    with suppress(RuntimeError):  # nobody knows the home
        folder = os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()
        yield str(Path(folder, "keras.json"))


def _devices() -> Iterable[str]:
    yield from _DEVICES
    accelerators = [str(each) for name in _ACCELERATORS for each in Path("/dev").glob(name)]
    yield from accelerators
    if accelerators:
        yield _SHARED_MEMORY


def _why(what: str) -> str:
    return f"{what} is not available: {os.strerror(ctypes.get_errno())}"
