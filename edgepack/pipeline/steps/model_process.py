"""The sandboxed process in which TensorFlow loads and runs an untrusted model."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ConversionError
from edgepack.core.tensorflow_packages import require_tensorflow
from edgepack.load.formats import detect_format
from edgepack.load.weights_checkpoint import checkpoint_parts
from edgepack.workers.client import Limits, Worker
from edgepack.workers.memory import machine_bytes
from edgepack.workers.sandbox import Sandbox

SERVICE = "edgepack.pipeline.steps.model_service:ModelSession"


def require_loadable(command: str, model: Path) -> None:
    """Raise before the work of ``command`` begins if TensorFlow's process could not load a model.

    Raises :class:`~edgepack.core.errors.MissingToolError` if TensorFlow or one of its packages is
    not installed, and what :func:`~edgepack.load.formats.detect_format` does.
    """
    require_tensorflow(command)
    detect_format(model)


def model_session(
    source: ModelSource,
    work: Path,
    *,
    reads: Iterable[Path] = (),
    writes: Iterable[Path] = (),
    verbose: bool,
    connects: bool = False,
    imports_tensorflow: bool = True,
) -> Worker:
    """Start the process; it serves :class:`~edgepack.pipeline.steps.model_service.ModelSession`.

    It may read the model's files, ``work`` and ``reads``, and write to :func:`session_folder` of
    ``work`` and to ``writes``; it may open network connections only if it ``connects``. If the user
    allows custom code, or code of the model file, there is no sandbox: it runs with the user's
    rights. It imports TensorFlow at once; a .tflite file that is only run does without it.
    """
    writable = session_folder(work)
    writable.mkdir()
    return Worker(
        SERVICE,
        label="TensorFlow" if imports_tensorflow else "LiteRT",
        verbose=verbose,
        limits=Limits(data_bytes=machine_bytes()),
        sandbox=None
        if source.runs_code
        else Sandbox(
            reads=tuple(str(path.absolute()) for path in (*_model_files(source), work, *reads)),
            writes=tuple(str(path.absolute()) for path in (writable, *writes)),
            connects=connects,
        ),
        source=source,
        imports_tensorflow=imports_tensorflow,
    )


def session_folder(work: Path) -> Path:
    """Return the only folder in ``work`` that the process may write to.

    Nothing else may write there: the process could replace a path by a link that leads elsewhere.
    """
    return work / "session"


def collect_output(source: Path, destination: Path) -> None:
    """Move a file that the process wrote to ``destination``, where the process cannot write.

    Raises :class:`~edgepack.core.errors.ConversionError` if it is not a regular file: a link would
    lead elsewhere.
    """
    source.rename(destination)
    if not stat.S_ISREG(destination.lstat().st_mode):
        destination.unlink()
        raise ConversionError(f"{source.name}: TensorFlow's process did not write a regular file")


def _model_files(source: ModelSource) -> Iterable[Path]:
    yield source.path
    if source.weights is not None:
        yield source.weights
        yield from checkpoint_parts(source.weights)
