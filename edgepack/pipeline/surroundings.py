"""The examination of what is around edgepack: programs, the sandbox, folders, the user's targets.

As in :mod:`edgepack.pipeline.doctor`, nothing here imports a package that may be missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgepack.core.errors import EdgepackError, reason
from edgepack.core.temporary_folders import TemporaryFolder, temporary_folder
from edgepack.core.user_folders import ignored_value
from edgepack.devices.target import (
    load_target,
    own_target_names,
    own_targets_folder,
    target_file,
)
from edgepack.pipeline.needed_packages import STARTING_PROCESSES
from edgepack.report.data.doctor import BROKEN, MISSING, UNFIT, WORKS, Examined
from edgepack.storage.cache import default_cache_folder
from edgepack.workers.programs import run_program
from edgepack.workers.sandbox import NETWORK_VERSION, landlock_version

_VERSION_S = 10.0
_LONGEST_VERSION = 100
_LANDLOCK = "Landlock"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that users of edgepack need: what is lost without it, and what brings it."""

    name: str
    lost: str
    cure: str


PROGRAMS = (
    Program(
        name="cc",
        lost="the C that edgepack writes cannot be compiled here, nor its tests be run",
        cure="install gcc or clang (Debian: apt-get install gcc)",
    ),
    Program(
        name="cmake",
        lost="firmware of the layout cmake cannot be built here",
        cure="install CMake (Debian: apt-get install cmake)",
    ),
)


@dataclass(frozen=True, kw_only=True)
class UserFolder:
    """A folder of the user's: the variable that moves it, and what is lost without it."""

    name: str
    locate: Callable[[], Path | None]
    variable: str
    lost: str


USER_FOLDERS = (
    UserFolder(
        name="cache",
        locate=default_cache_folder,
        variable="XDG_CACHE_HOME",
        lost="edgepack compare runs and computes everything again",
    ),
    UserFolder(
        name="own targets",
        locate=own_targets_folder,
        variable="XDG_CONFIG_HOME",
        lost="targets of your own can be given by the paths of their files only",
    ),
)


def examine_program(program: Program) -> Examined:
    """Ask a program for its version."""
    examined = Examined(
        kind="program", name=program.name, state=MISSING, lost=program.lost, cure=program.cure
    )
    path = shutil.which(program.name)
    if path is None:
        return examined
    try:
        ended = run_program([path, "--version"], time_s=_VERSION_S)
    except OSError as error:
        why = f"cannot be started: {error.strerror}"
        return replace(examined, state=BROKEN, found=path, problem=why)
    if ended.failure:
        return replace(examined, state=BROKEN, found=path, problem=ended.failure)
    (first, *_) = [*ended.output.splitlines(), ""]
    found = first[:_LONGEST_VERSION] or path
    return Examined(kind="program", name=program.name, state=WORKS, found=found)


def examine_sandbox() -> Examined:
    """Look which permissions a process that loads models can give up."""
    version = landlock_version()
    if isinstance(version, str):
        return Examined(
            kind="sandbox",
            name=_LANDLOCK,
            state=MISSING,
            problem=version,
            lost="a model file that exploits a bug of TensorFlow can read and write your files",
            cure="boot Linux 5.13 or later, with Landlock enabled",
        )
    examined = Examined(kind="sandbox", name=_LANDLOCK, state=WORKS, found=f"version {version}")
    if version < NETWORK_VERSION:
        examined = replace(
            examined,
            state=UNFIT,
            problem=f"version {version} cannot deny connections",
            lost="a model file that exploits a bug of TensorFlow can use the network",
            cure="boot Linux 6.7 or later",
        )
    return examined


def examine_folder(folder: UserFolder) -> Examined:
    """Try whether a folder can be written; one that is not there yet, whether it can be made."""
    path, ignored = folder.locate(), ignored_value(folder.variable)
    why = [] if ignored is None else [f"{folder.variable} is ignored: {ignored!r} is not absolute"]
    cure = f"set {folder.variable} to the absolute path of a folder that can be written"
    examined = Examined(kind="folder", name=folder.name, state=WORKS, cure=cure if why else None)
    lacking = replace(examined, lost=folder.lost, cure=cure)
    if path is None:
        why.append("no home folder with an absolute path")
        return replace(lacking, state=MISSING, problem="; ".join(why))
    try:
        existing = next(each for each in (path, *path.parents) if os.path.lexists(each))
        TemporaryFolder(existing).remove()
    except OSError as error:
        why.append(f"cannot be written: {error.strerror}")
        return replace(lacking, state=BROKEN, found=str(path), problem="; ".join(why))
    return replace(examined, found=str(path), problem="; ".join(why) or None)


def examine_temporary() -> Examined:
    """Try whether a folder for temporary files can be made."""
    examined = Examined(kind="folder", name="temporary files", state=WORKS)
    try:
        with temporary_folder() as folder:
            return replace(examined, found=str(folder.parent))
    except EdgepackError as error:
        return replace(
            examined,
            state=BROKEN,
            problem=str(error).rpartition("; ")[0],  # without its advice, which is the cure here
            lost="no process can be started",
            cure="set TMPDIR to a folder that can be written",
            commands=STARTING_PROCESSES,
        )


def examine_own_targets() -> Iterator[Examined]:
    """Yield the targets of the user's own that cannot be read."""
    for name in own_target_names():
        if problem := _why_unreadable(name):
            yield Examined(
                kind="target",
                name=name,
                state=BROKEN,
                found=str(target_file(name)),
                problem=problem,
                lost="nothing can be checked for it, nor for all targets at once",
                cure="correct the file, or remove it",
                in_part=("targets", "validate"),
            )


def _why_unreadable(target: str) -> str | None:
    try:
        load_target(target)
    except Exception as error:  # noqa: BLE001 (packaging, which compares versions, may be broken)
        return reason(error)
    return None
