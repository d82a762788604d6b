"""A sandbox that a process enters before it loads untrusted files, because parsers have bugs.

On Linux, a process can irrevocably renounce, for itself and its children, gaining privileges by
executing programs (``PR_SET_NO_NEW_PRIVS``), and accessing files other than some (Landlock, since
Linux 5.13). The numbers are those of ``linux/landlock.h`` and ``linux/prctl.h``; the system calls
of Landlock have the same numbers on all architectures. Nothing here imports a package that is
installed: it would be loaded before the sandbox is entered.
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

from edgepack.core.system_name import system_name

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))
_VERSION_1_RIGHTS = (1 << 13) - 1
_LATER_RIGHTS = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
"""The access rights that later versions of Landlock add, by version."""

_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""The access rights that a rule for a file, rather than a folder, may contain."""

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _REFER | _MAKE_AND_REMOVE

_SYSTEM_PATHS = (
    *("/usr", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/sys"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/passwd"),
    *("/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/devices"),
    *("/proc/filesystems", "/proc/modules", "/proc/driver"),
)
"""What the libraries of the system read."""

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ACCELERATORS = ("nvidia*", "dri", "kfd")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (drivers of accelerators share it between processes)

NETWORK_VERSION = 4
"""The version of Landlock that can deny TCP connections, which Linux 6.7 has."""
_SCOPE_VERSION = 6
_TCP = 0b11  # bind and connect
_UNSUPPORTED = f"a sandbox is not supported on {system_name()}"
_SCOPES = 0b11  # abstract sockets of, and signals to, processes outside the sandbox


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The files and folders that a process may read, and the folders that it may also write to.

    ``connects`` lets it use the network. The packages that it imports, and what they need of the
    system, are always readable.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    connects: bool = False


def enter_sandbox(sandbox: Sandbox) -> str | None:
    """Drop all other permissions of this process; returns a reason if the system does not allow it.

    It applies to the calling thread and those that it starts later, and cannot be undone.
    """
    if not _is_linux():
        return _UNSUPPORTED
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return _unavailable("PR_SET_NO_NEW_PRIVS")
    version = landlock_version()
    if isinstance(version, str):
        return version
    handled = _VERSION_1_RIGHTS | sum(
        rights for since, rights in _LATER_RIGHTS.items() if version >= since
    )
    # A kernel rejects a structure that is longer than the one it knows.
    fields = [handled]
    if version >= NETWORK_VERSION:
        fields.append(0 if sandbox.connects else _TCP)
    if version >= _SCOPE_VERSION:
        fields.append(_SCOPES)
    attributes = (ctypes.c_uint64 * len(fields))(*fields)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    if ruleset < 0:
        return _unavailable("Landlock")
    try:
        for path in (*_package_paths(), *_SYSTEM_PATHS, *sandbox.reads):
            _allow(libc, ruleset, path, _READ & handled)
        for path in (*_device_paths(), *sandbox.writes):
            _allow(libc, ruleset, path, (_WRITE | _IOCTL_DEV) & handled)
        if libc.syscall(_RESTRICT_SELF, ruleset, 0):
            return _unavailable("Landlock")
    finally:
        os.close(ruleset)
    return None


def landlock_version() -> int | str:
    """Return the version of Landlock that this process can use, or why it can use none.

    With versions before :data:`NETWORK_VERSION`, a sandbox does not keep a process from using the
    network.
    """
    if not _is_linux():
        return _UNSUPPORTED
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    return _unavailable("Landlock") if version < 1 else int(version)


def _is_linux() -> bool:
    return sys.platform.startswith("linux")


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    """Allow access to a path and everything beneath it; a missing path needs no rule."""
    if sys.platform != "linux":
        return
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _FILE_RIGHTS
        rule = _PathBeneath(access, descriptor)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _package_paths() -> Iterable[str]:
    """Yield the folders of modules and their libraries, and the file of Keras's settings."""
    ours = Path(__file__).parents[1]
    yield from {
        *(path for path in sys.path if any(Path(path).glob("*.dist-info"))),
        *sysconfig.get_paths().values(),
        *(sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix),
        *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep),
        *os.environ.get("PYTHONPATH", "").split(os.pathsep),
        str(ours),
        *(str(link.resolve()) for link in ours.iterdir() if link.is_symlink()),  # in a checkout
        *_keras_settings(),
    } - {"", os.curdir}


def _keras_settings() -> Iterable[str]:
    """Yield the path of the file that Keras reads when it is imported."""
    with suppress(RuntimeError):  # there is no home folder
        folder = os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()
        yield str(Path(folder, "keras.json"))


def _device_paths() -> Iterable[str]:
    yield from _DEVICES
    accelerators = [str(each) for name in _ACCELERATORS for each in Path("/dev").glob(name)]
    yield from accelerators
    if accelerators:
        yield _SHARED_MEMORY


def _unavailable(feature: str) -> str:
    return f"{feature} is not available: {os.strerror(ctypes.get_errno())}"
