"""The process in which TensorFlow loads and runs a model of unknown origin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from edgepack.confine import Confinement
from edgepack.memory import machine_bytes
from edgepack.recipe import Source
from edgepack.worker import Limits, Worker


def model_session(source: Source, *writes: Path | None, verbose: bool) -> Worker:
    """Start it: it serves :class:`~edgepack.session.ModelSession`.

    It may read the files of the model, and what lies in the folders ``writes``, and write only
    there. Where the user allows code of their own, or of the file, that code has the user's rights.
    """
    return Worker(
        "edgepack.session:ModelSession",
        label="TensorFlow",
        verbose=verbose,
        limits=Limits(data_bytes=machine_bytes()),
        confinement=None
        if source.runs_code
        else Confinement(
            reads=tuple(map(str, _files(source))),
            writes=tuple(str(_existing(path.absolute())) for path in writes if path),
        ),
    )


def _files(source: Source) -> Iterable[Path]:
    yield source.path.absolute()
    if source.weights is not None:
        weights = source.weights.absolute()
        yield weights
        yield from _of_checkpoint(weights)


def _of_checkpoint(prefix: Path) -> Iterator[Path]:
    """Find the files of a TensorFlow checkpoint, which is named by what their names begin with."""
    try:
        beside = sorted(prefix.parent.iterdir())
    except OSError:
        return
    yield from (path for path in beside if path.name.startswith(f"{prefix.name}."))


def _existing(folder: Path) -> Path:
    """Find the folder, or the nearest above it that is there, to make it in."""
    return next(path for path in (folder, *folder.parents) if path.exists())
