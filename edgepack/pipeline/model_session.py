"""The process in which TensorFlow loads and runs a model of unknown origin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgepack.confine import Confinement
from edgepack.load.checkpoint import checkpoint_files
from edgepack.memory import machine_bytes
from edgepack.recipe import Source
from edgepack.worker import Limits, Worker


def model_session(
    source: Source, *writes: Path | None, verbose: bool, connects: bool = False
) -> Worker:
    """Start it: it serves :class:`~edgepack.session.ModelSession`.

    It may read the files of the model, and what lies in the folders ``writes``, and write only
    there; it opens connections only if it ``connects``. Where the user allows code of their own, or
    of the file, that code has the user's rights.
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
            writes=tuple(str(path.absolute()) for path in writes if path),
            connects=connects,
        ),
    )


def _files(source: Source) -> Iterable[Path]:
    yield source.path.absolute()
    if source.weights is not None:
        weights = source.weights.absolute()
        yield weights
        yield from checkpoint_files(weights)
