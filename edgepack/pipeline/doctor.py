"""The examination of an installation: what edgepack and its users need, tried as far as quick.

Nothing here imports numpy or another package that edgepack needs: each may be missing or broken.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.core.errors import EdgepackError, reason
from edgepack.core.packages import EDGEPACK, OPTIONAL, REQUIRED, Package
from edgepack.core.progress import NoProgress, Progress
from edgepack.core.requirements import refusal
from edgepack.core.system_name import system_name
from edgepack.core.tensorflow_packages import TENSORFLOW_PACKAGES, full_installation
from edgepack.pipeline.needed_packages import CANNOT_WORK, IN_PART, RUNNING_MODELS
from edgepack.pipeline.surroundings import (
    PROGRAMS,
    USER_FOLDERS,
    examine_folder,
    examine_own_targets,
    examine_program,
    examine_sandbox,
    examine_temporary,
)
from edgepack.report.data.doctor import (
    BROKEN,
    INSTALLED,
    KINDS,
    MISSING,
    OMITTED,
    UNFIT,
    WORKS,
    DoctorReport,
    Examined,
)
from edgepack.runtimes import LITERT, REFERENCE, RUNTIMES, Runtime
from edgepack.workers.client import Limits, Worker
from edgepack.workers.restarting_worker import RestartingWorker

_LIMITS = Limits(time_s=60.0)
_PACKAGES = {each.distribution: each for each in (*REQUIRED, LITERT.package, *OPTIONAL)}
_FOUNDATIONS = tuple(
    _PACKAGES[name] for name in ("numpy", "packaging", "scipy", "ai-edge-litert", "pillow")
)
"""The packages that other packages and interpreters import; later ones import earlier."""
_FAILURES = (EdgepackError, OSError, RuntimeError)


@takes(None)
def doctor(progress: Progress | None = None, *, verbose: bool = False) -> DoctorReport:
    """Examine this installation; leaves nothing behind, and takes a few seconds.

    Packages are imported, and each interpreter runs a tiny model, in processes of their own. Of
    TensorFlow and what imports it only the versions are looked at: their import takes many seconds.
    ``verbose`` lets the processes write to standard error.
    """
    progress = progress or NoProgress()
    temporary = examine_temporary()
    can_try = temporary.state == WORKS  # without a folder for it, no process can be started
    single: list[Callable[[], Examined]] = [
        *(
            partial(_examine_interpreter, each, can_try=can_try, verbose=verbose)
            for each in (REFERENCE, *RUNTIMES.values())
        ),
        *(partial(examine_program, each) for each in PROGRAMS),
        examine_sandbox,
        *(partial(examine_folder, each) for each in USER_FOLDERS),
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
        *_omit_tensorflow(packages.result()),
        *(each.result() for each in others),
        *examine_own_targets(),
    ]
    return DoctorReport(
        edgepack=EDGEPACK.version(),
        python=platform.python_version(),
        system=f"{system_name()} {platform.mac_ver()[0] or platform.release()}",
        machine=platform.machine(),
        examined=tuple(
            blame_foundations(sorted(examined, key=lambda each: KINDS.index(each.kind)))
        ),
    )


def _examine_edgepack() -> Iterator[Examined]:
    """Yield that edgepack itself is not installed, as where it runs from a copy of its files."""
    if EDGEPACK.version() is None:
        yield _lacking(_of(EDGEPACK, kind="package", name=EDGEPACK.distribution), EDGEPACK)


def _of(package: Package, *, kind: str, name: str, found: str | None = None) -> Examined:
    """Return a package, or what it brings, that is not tried yet."""
    distribution = package.distribution
    return Examined(kind=kind, name=name, distribution=distribution, state=INSTALLED, found=found)


def _examine_interpreter(runtime: Runtime, *, can_try: bool, verbose: bool) -> Examined:
    """Run the tiny model in the process in which the interpreter always runs."""
    package, version = runtime.package, runtime.version()
    found = None if version is None else f"{package.distribution} {version}"
    examined = _of(package, kind="interpreter", name=runtime.name, found=found)
    if runtime.missing():
        return _lacking(examined, package)
    if can_try:
        service = "edgepack.runtimes.attempt_service:Attempt"
        try:
            with Worker(
                service, label=runtime.name, verbose=verbose, limits=_LIMITS, module=runtime.module
            ) as worker:
                worker.call("run")
        except _FAILURES as error:
            # Being installed, it is run, and every model fails on it.
            broken = _lacking(examined, package, problem=reason(error))
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
    found, name = package.version(), package.distribution
    examined = (
        _of(package, kind="extra", name=f"{package.extra} ({name})", found=found)
        if package.extra
        else _of(package, kind="package", name=name, found=found)
    )
    if not package.is_there():
        # Metadata without the modules are what an interrupted installation leaves.
        gone = found and f"there is no module {package.module.partition('.')[0]}"
        return _lacking(examined, package, problem=gone or None)
    if importer and not package.is_slow:
        try:
            importer.call("load", module=package.module)
        except _FAILURES as error:
            return _lacking(examined, package, problem=reason(error))
        examined = replace(examined, state=WORKS)
    return _with_version(examined, package, found)


def _omit_tensorflow(packages: list[Examined]) -> list[Examined]:
    """Say in one row that TensorFlow and what goes with it are missing, if all of that is."""
    omitted = {each.distribution for each in TENSORFLOW_PACKAGES}
    if any(each.state != MISSING for each in packages if each.name in omitted):
        return packages
    name = "tensorflow"
    light = Examined(
        kind="package",
        name=name,
        state=OMITTED,
        lost="this installation is light: models other than .tflite files cannot be loaded, and"
        " none can be quantized or pruned",
        cure=full_installation(),
        commands=CANNOT_WORK[name],
        in_part=IN_PART[name],
    )
    kept = [each for each in packages if each.name not in omitted]
    return [*kept, light]


def _lacking(examined: Examined, package: Package, problem: str | None = None) -> Examined:
    """Return that a package is missing, or broken if there is a problem."""
    return replace(
        examined,
        state=BROKEN if problem else MISSING,
        problem=problem,
        lost=package.lost,
        cure=package.repair if problem else package.cure,
        **_commands(package),
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
        **_commands(package),
    )


def _commands(package: Package) -> dict[str, Any]:
    """Return the fields of the commands that need a package."""
    name = package.distribution
    return {"commands": CANNOT_WORK.get(name, ()), "in_part": IN_PART.get(name, ())}


def blame_foundations(examined: Sequence[Examined]) -> Iterator[Examined]:
    """Yield all; what is broken because of another package is cured by curing that.

    tflite-runtime, for one, fails with a numpy that it was not built for.
    """
    lacking = {each.distribution: each for each in examined if each.cure}
    for each in examined:
        cause = _cause(each, lacking) if each.state == BROKEN else None
        if cause is None:
            yield each
        elif cause.state == UNFIT:
            yield replace(each, cure=f"first {cause.cure}")
        else:  # whether it works is not known until then
            yield replace(each, cure=f"first {cause.cure}", commands=(), in_part=())


def _cause(broken: Examined, lacking: Mapping[str | None, Examined]) -> Examined | None:
    """Return the foundation that its problem names, or that has the same problem."""
    problem = broken.problem or ""
    for package in _FOUNDATIONS:
        if package.distribution == broken.distribution:
            return None
        cause = lacking.get(package.distribution)
        module = package.module.partition(".")[0]
        if cause and (problem == cause.problem or re.search(rf"\b{module}\b", problem)):
            return cause
    return None
