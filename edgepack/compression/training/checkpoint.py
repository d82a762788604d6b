"""Checkpoints of fine-tuning: the state after an epoch, in one file that is whole or absent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ConfigError, OutputError

_NAME = "fine-tuning"


@dataclass
class TrainingState:
    """How far a training is: epochs done, and the best loss on held-out samples so far.

    ``waited`` counts the epochs since then. The loss is None while there is none.
    """

    epochs: int = 0
    best_loss: float | None = None
    waited: int = 0


def require_none(files: Iterable[Path]) -> None:
    """Raise :class:`ConfigError` if there is a checkpoint, which a new run would replace."""
    for path in files:
        if path.exists():
            raise ConfigError(
                f"{path.parent}: holds the checkpoint of a run that was cut off; go on from it with"
                " --resume, or remove it"
            )


class Checkpoint:
    """The checkpoint of one training, a file; ``fingerprint`` is of all that decides it.

    Raises :class:`ConfigError` if there is one that is not to be resumed, or the one to resume is
    missing or of another training.
    """

    def __init__(self, path: Path, *, fingerprint: str, resume: bool) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._resume = resume
        if resume and not path.is_file():
            raise ConfigError(f"{path.parent}: holds no checkpoint to resume; run without --resume")
        if not resume:
            require_none([path])

    def restore(self) -> tuple[TrainingState, list[NDArray[Any]], list[NDArray[Any]]] | None:
        """Read the standing, the state and the best weights; None if there is nothing to resume."""
        if not self._resume:
            return None
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                held = json.loads(str(arrays["standing"]))
                fingerprint = held.pop("fingerprint")
                state, best = (
                    [
                        arrays[f"{kind}-{index}"]
                        for index in range(sum(name.startswith(f"{kind}-") for name in arrays))
                    ]
                    for kind in ("state", "best")
                )
                standing = TrainingState(**held)
        except Exception as error:
            raise ConfigError(f"{self._path}: damaged; remove it, and start again") from error
        if fingerprint != self._fingerprint:
            raise ConfigError(
                f"{self._path}: is of another model, other data or other options; repeat those of"
                " the run that was cut off, or remove it"
            )
        return standing, state, best

    def save(
        self,
        standing: TrainingState,
        state: Sequence[NDArray[Any]],
        best: Sequence[NDArray[Any]],
    ) -> None:
        """Replace the checkpoint. Raises :class:`OutputError` if it cannot be written."""
        text = json.dumps(asdict(standing) | {"fingerprint": self._fingerprint})
        arrays = {f"state-{index}": array for index, array in enumerate(state)}
        arrays |= {f"best-{index}": array for index, array in enumerate(best)}
        partial = self._path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, standing=np.array(text), **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OutputError(
                f"{self._path}: cannot be written: {error.strerror or error}; free space, or choose"
                " another --checkpoints"
            ) from error


def checkpoint_files(folder: Path | None, trainings: int) -> list[Path]:
    """Name the files in a folder that the checkpoints of so many trainings are; none in None."""
    if folder is None:
        return []
    return [folder / f"{_NAME}{f'-{n}' if n > 1 else ''}.npz" for n in range(1, trainings + 1)]


@contextmanager
def checkpoints_in(folder: Path | None) -> Iterator[None]:
    """Make the folder for checkpoints, if there are to be any; it goes again if it stays empty.

    Raises :class:`OutputError` if it cannot be made.
    """
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: checkpoints cannot be kept there: {error.strerror}; name a folder, or"
            " one that can be made"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # it holds one, to go on from
            folder.rmdir()


def remove_checkpoints(files: Sequence[Path]) -> None:
    """Remove what :class:`Checkpoint` wrote, and the folder if nothing else is in it."""
    for file in files:
        file.unlink(missing_ok=True)
    for folder in {file.parent for file in files}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
