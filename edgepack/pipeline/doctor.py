"""The examination of an installation: what edgepack and its users need, tried as far as quick.

Nothing here imports numpy or another package that edgepack needs: each may be missing or broken.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgepack.core.errors import EdgepackError, reason
from edgepack.core.packages import (
    EDGEPACK,
    OPTIONAL,
    REQUIRED,
    RUNNING_MODELS,
    STARTING_PROCESSES,
    Package,
)
from edgepack.core.progress import NoProgress, Progress
from edgepack.core.requirements import refusal
from edgepack.core.temporary_folders import TemporaryFolder, temporary_folder
from edgepack.devices.target import own_targets_folder
from edgepack.report.data.doctor import (
    BROKEN,
    INSTALLED,
    KINDS,
    MISSING,
    UNFIT,
    WORKS,
    DoctorReport,
    Examined,
)
from edgepack.runtimes import LITERT, REFERENCE, RUNTIMES, Runtime
from edgepack.storage.cache import default_cache_folder
from edgepack.workers.client import Limits, Worker
from edgepack.workers.restarting_worker import RestartingWorker
from edgepack.workers.sandbox import NETWORK_VERSION, landlock_version

_LIMITS = Limits(time_s=60.0)
_VERSION_S = 10.0
_LANDLOCK = "Landlock"
_FOUNDATIONS = {
    "numpy": "numpy",
    "scipy": "scipy",
    LITERT.name: "ai_edge_litert",
    "images (pillow)": "PIL",
}
"""The modules that other packages and interpreters import, by name; later ones import earlier."""
_FAILURES = (EdgepackError, OSError, RuntimeError)


@dataclass(frozen=True, kw_only=True)
class _Program:
    name: str
    lost: str
    cure: str


_PROGRAMS = (
    _Program(
        name="cc",
        lost="the C that edgepack writes cannot be compiled here, nor its tests be run",
        cure="install gcc or clang (Debian: apt-get install gcc)",
    ),
    _Program(
        name="cmake",
        lost="firmware of the layout cmake cannot be built here",
        cure="install CMake (Debian: apt-get install cmake)",
    ),
)


def doctor(progress: Progress | None = None, *, verbose: bool = False) -> DoctorReport:
    """Examine this installation; leaves nothing behind, and takes a few seconds.

    Packages are imported, and each interpreter runs a tiny model, in processes of their own. Of
    TensorFlow and what imports it only the versions are looked at: their import takes many seconds.
    ``verbose`` lets the processes write to standard error.
    """
    progress = progress or NoProgress()
    temporary = _examine_temporary()
    can_try = temporary.state == WORKS  # without a folder for it, no process can be started
    single: list[Callable[[], Examined]] = [
        *(
            partial(_examine_interpreter, each, can_try=can_try, verbose=verbose)
            for each in (REFERENCE, *RUNTIMES.values())
        ),
        *(partial(_examine_program, each) for each in _PROGRAMS),
        _examine_sandbox,
        partial(
            _examine_folder,
            "cache",
            default_cache_folder,
            lost="edgepack compare runs and computes everything again",
            cure="set XDG_CACHE_HOME to a folder that can be written",
        ),
        partial(
            _examine_folder,
            "own targets",
            own_targets_folder,
            lost="targets of your own can be given by the paths of their files only",
            cure="set XDG_CONFIG_HOME to a folder that can be written",
        ),
    ]
    with progress.step("examine") as update, ThreadPoolExecutor(os.cpu_count()) as pool:
        packages = pool.submit(
            _examine_packages, (*REQUIRED, *OPTIONAL), can_try=can_try, verbose=verbose
        )
        others = [pool.submit(each) for each in single]
        pending: list[Future[Any]] = [packages, *others]
        for done, _ in enumerate(as_completed(pending), start=1):
            update(done, len(pending))
    examined = [
        *_examine_edgepack(),
        temporary,
        *packages.result(),
        *(each.result() for each in others),
    ]
    return DoctorReport(
        edgepack=EDGEPACK.version(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        examined=tuple(_causes_first(sorted(examined, key=lambda each: KINDS.index(each.kind)))),
    )


def _examine_edgepack() -> Iterator[Examined]:
    """Yield that edgepack itself is not installed, as where it runs from a copy of its files."""
    if EDGEPACK.version() is None:
        name = EDGEPACK.distribution
        yield _without(Examined(kind="package", name=name, state=MISSING), EDGEPACK)


def _examine_interpreter(runtime: Runtime, *, can_try: bool, verbose: bool) -> Examined:
    """Run the tiny model in the process in which the interpreter always runs."""
    package, version = runtime.package, runtime.version()
    found = None if version is None else f"{package.distribution} {version}"
    examined = Examined(kind="interpreter", name=runtime.name, state=INSTALLED, found=found)
    if version is None:
        return _without(examined, package)
    if can_try:
        service = "edgepack.runtimes.attempt_service:Attempt"
        try:
            with Worker(
                service, label=runtime.name, verbose=verbose, limits=_LIMITS, module=runtime.module
            ) as worker:
                worker.call("run")
        except _FAILURES as error:
            # Being installed, it is run, and every model fails on it.
            broken = _without(examined, package, problem=reason(error))
            return replace(broken, in_part=RUNNING_MODELS)
        examined = replace(examined, state=WORKS)
    return _with_version(examined, package, version)


def _examine_packages(
    packages: Iterable[Package], *, can_try: bool, verbose: bool
) -> list[Examined]:
    """Import packages in one process, which saves importing numpy for each."""
    if not can_try:
        return [_examine_package(each, None) for each in packages]
    service = "edgepack.workers.import_service:Importer"
    start = partial(Worker, service, label="Python", verbose=verbose, limits=_LIMITS)
    with RestartingWorker(start, "Python") as importer:
        return [_examine_package(each, importer) for each in packages]


def _examine_package(package: Package, importer: RestartingWorker | None) -> Examined:
    """Import a package, unless that takes seconds."""
    found = package.version()
    examined = Examined(
        kind="extra" if package.extra else "package",
        name=f"{package.extra} ({package.distribution})" if package.extra else package.distribution,
        state=INSTALLED,
        found=found,
    )
    if not package.is_there():
        # Metadata without the modules are what an interrupted installation leaves.
        gone = found and f"there is no module {package.module.partition('.')[0]}"
        return _without(examined, package, problem=gone or None)
    if importer and not package.is_slow:
        try:
            importer.call("load", module=package.module)
        except _FAILURES as error:
            return _without(examined, package, problem=reason(error))
        examined = replace(examined, state=WORKS)
    return _with_version(examined, package, found)


def _without(examined: Examined, package: Package, problem: str | None = None) -> Examined:
    """Return that a package is missing, or broken if there is a problem."""
    return replace(
        examined,
        state=BROKEN if problem else MISSING,
        problem=problem,
        lost=package.lost,
        cure=package.repair if problem else package.cure,
        commands=package.commands,
        in_part=package.in_part,
    )


def _with_version(examined: Examined, package: Package, version: str | None) -> Examined:
    """Return a package that is there, whose version edgepack may refuse."""
    problem = refusal(package.distribution, version) if version else None
    if problem is None:
        return examined
    return replace(
        examined,
        state=UNFIT,
        problem=problem,
        lost="edgepack is not tested with it",
        cure=package.cure,
    )


def _causes_first(examined: list[Examined]) -> Iterator[Examined]:
    """Yield all; what is broken because of another package is cured by curing that.

    tflite-runtime, for one, fails with a numpy that it was not built for.
    """
    causes = [each for name in _FOUNDATIONS for each in examined if each.name == name and each.cure]
    for each in examined:
        cause = next((cause for cause in causes if _is_due_to(each, cause)), None)
        if cause is None:
            yield each
        elif cause.state == UNFIT:
            yield replace(each, cure=f"first {cause.cure}")
        else:  # whether it works is not known until then
            yield replace(each, cure=f"first {cause.cure}", commands=(), in_part=())


def _is_due_to(examined: Examined, cause: Examined) -> bool:
    problem = examined.problem or ""
    order = [*_FOUNDATIONS, examined.name]
    comes_later = order.index(cause.name) < order.index(examined.name)
    names_it = re.search(rf"\b{_FOUNDATIONS[cause.name]}\b", problem)
    is_alike = bool(names_it) or problem == cause.problem
    return examined.state == BROKEN and comes_later and is_alike


def _examine_program(program: _Program) -> Examined:
    examined = Examined(
        kind="program", name=program.name, state=MISSING, lost=program.lost, cure=program.cure
    )
    path = shutil.which(program.name)
    if path is None:
        return examined
    try:
        done = subprocess.run(  # noqa: S603 (a compiler on the user's path)
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_VERSION_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return replace(examined, state=BROKEN, found=path, problem=reason(error))
    first = next(iter(done.stdout.splitlines()), "")
    return Examined(kind="program", name=program.name, state=WORKS, found=first or path)


def _examine_sandbox() -> Examined:
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


def _examine_folder(
    name: str, locate: Callable[[], Path | None], *, lost: str, cure: str
) -> Examined:
    """Try whether a folder can be written; one that is not there yet, whether it can be made."""
    folder = locate()
    lacking = Examined(kind="folder", name=name, state=WORKS, lost=lost, cure=cure)
    if folder is None:
        return replace(lacking, state=MISSING, problem="no home folder with an absolute path")
    try:
        existing = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
        TemporaryFolder(existing).remove()
    except OSError as error:
        why = f"cannot be written: {error.strerror}"
        return replace(lacking, state=BROKEN, found=str(folder), problem=why)
    return replace(lacking, found=str(folder), lost=None, cure=None)


def _examine_temporary() -> Examined:
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
