"""The process in which TensorFlow loads and runs a model of unknown origin."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from edgepack.config.export import ModelSource
from edgepack.core.errors import ConversionError
from edgepack.load.weights_checkpoint import weights_files
from edgepack.workers.client import Limits, Worker
from edgepack.workers.resources import machine_bytes
from edgepack.workers.sandbox import Sandbox

SERVICE = "edgepack.pipeline.model_service:ModelSession"


def model_session(
    source: ModelSource,
    work: Path,
    *,
    reads: Iterable[Path] = (),
    writes: Iterable[Path] = (),
    verbose: bool,
    connects: bool = False,
) -> Worker:
    """Start it: it serves :class:`~edgepack.pipeline.model_service.ModelSession`.

    It may read the files of the model, ``work`` and ``reads``, and write in :func:`own_folder` of
    ``work`` and in ``writes``; it opens connections only if it ``connects``. Where the user allows
    code of their own, or of the file, that code has the user's rights.
    """
    own = own_folder(work)
    own.mkdir()
    return Worker(
        SERVICE,
        label="TensorFlow",
        verbose=verbose,
        limits=Limits(data_bytes=machine_bytes()),
        confinement=None
        if source.runs_code
        else Sandbox(
            reads=tuple(str(path.absolute()) for path in (*_files(source), work, *reads)),
            writes=tuple(str(path.absolute()) for path in (own, *writes)),
            connects=connects,
        ),
        source=source,
    )


def own_folder(work: Path) -> Path:
    """Tell where the process writes: nothing is written there by others, who might be misled."""
    return work / "session"


def keep(made: Path, place: Path) -> None:
    """Put a file that the process made where it cannot write.

    Raises :class:`~edgepack.core.errors.ConversionError` if it is none: a link would lead
    elsewhere.
    """
    made.rename(place)
    if not stat.S_ISREG(place.lstat().st_mode):
        place.unlink()
        raise ConversionError(f"{made.name}: TensorFlow's process made no file of it")


def _files(source: ModelSource) -> Iterable[Path]:
    yield source.path
    if source.weights is not None:
        yield source.weights
        yield from weights_files(source.weights)
