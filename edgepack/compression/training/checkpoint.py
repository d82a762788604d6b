"""Checkpoints of fine-tuning: the state after an epoch, in one atomically replaced file."""

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
    """Progress of a training: epochs completed, and the best loss on held-out samples so far.

    ``waited`` counts the epochs since the best loss, which is None before it is first measured.
    """

    epochs: int = 0
    best_loss: float | None = None
    waited: int = 0


def require_no_checkpoints(files: Iterable[Path]) -> None:
    """Raise :class:`ConfigError` if a checkpoint exists, which a new run would replace."""
    for path in files:
        if path.exists():
            raise ConfigError(
                f"{path.parent}: holds the checkpoint of an interrupted run; continue it with"
                " --resume, or remove it"
            )


class Checkpoint:
    """The checkpoint file of one training; ``fingerprint`` covers everything that determines it.

    Raises :class:`ConfigError` if the file exists without ``resume``, or is missing with it.
    """

    def __init__(self, path: Path, *, fingerprint: str, resume: bool) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._resume = resume
        if resume and not path.is_file():
            raise ConfigError(f"{path.parent}: holds no checkpoint to resume; run without --resume")
        if not resume:
            require_no_checkpoints([path])

    def restore(self) -> tuple[TrainingState, list[NDArray[Any]], list[NDArray[Any]]] | None:
        """Return the state, the variables' values and the best weights; None without ``resume``.

        Raises :class:`ConfigError` if the file is damaged or belongs to another training.
        """
        if not self._resume:
            return None
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                fields = json.loads(str(arrays["standing"]))
                fingerprint = fields.pop("fingerprint")
                values, best = (
                    [
                        arrays[f"{kind}-{index}"]
                        for index in range(sum(name.startswith(f"{kind}-") for name in arrays))
                    ]
                    for kind in ("state", "best")
                )
                state = TrainingState(**fields)
        except Exception as error:
            raise ConfigError(f"{self._path}: damaged; remove it, and start again") from error
        if fingerprint != self._fingerprint:
            raise ConfigError(
                f"{self._path}: belongs to another model, other data or other options; use those of"
                " the interrupted run, or remove it"
            )
        return state, values, best

    def save(
        self,
        state: TrainingState,
        values: Sequence[NDArray[Any]],
        best: Sequence[NDArray[Any]],
    ) -> None:
        """Replace the checkpoint. Raises :class:`OutputError` if it cannot be written."""
        text = json.dumps(asdict(state) | {"fingerprint": self._fingerprint})
        arrays: dict[str, Any] = {f"state-{index}": array for index, array in enumerate(values)}
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
                f"{self._path}: cannot be written: {error.strerror or error}; free some space, or"
                " choose another folder with --checkpoints"
            ) from error


def checkpoint_files(folder: Path | None, trainings: int) -> list[Path]:
    """Return the paths of the checkpoints of a number of trainings; none without a folder."""
    if folder is None:
        return []
    return [folder / f"{_NAME}{f'-{n}' if n > 1 else ''}.npz" for n in range(1, trainings + 1)]


@contextmanager
def checkpoint_folder(folder: Path | None) -> Iterator[None]:
    """Create the folder for checkpoints, if any; remove it in the end if it is empty.

    Raises :class:`OutputError` if it cannot be created.
    """
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: checkpoints cannot be saved there: {error.strerror}; choose a folder that"
            " exists or can be created"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # it holds a checkpoint to resume
            folder.rmdir()


def remove_checkpoints(files: Sequence[Path]) -> None:
    """Remove the files that :class:`Checkpoint` wrote, and their folders if they are then empty."""
    for file in files:
        file.unlink(missing_ok=True)
    for folder in {file.parent for file in files}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
