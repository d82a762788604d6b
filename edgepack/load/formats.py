"""How models are stored: told apart by content, and read as far as their configurations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, reason
from edgepack.core.user_files import require_ordinary
from edgepack.load.archive import read_archive, require_packed_weights
from edgepack.load.hdf5 import require_own_values
from edgepack.load.saved_model import SavedModelFolder, read_saved_model
from edgepack.load.weights_checkpoint import of_checkpoint, weights_files

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_TFLITE_IDENTIFIER = b"TFL3"  # from byte 4 on


class Format(Enum):
    """How a model is stored, by the ending that Keras knows it by; a folder has none."""

    H5 = ".h5"
    KERAS = ".keras"
    JSON = ".json"
    TFLITE = ".tflite"
    SAVED_MODEL = ""


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """What a model file says of itself.

    ``config`` is the model's configuration, ``folder`` what a SavedModel has in its place;
    ``training`` is how it was compiled, if it was, which is data here: nothing that it names is
    loaded. ``assets`` are files that its layers would read. ``version`` is that of the Keras that
    saved it.
    """

    version: str
    config: dict[str, Any] | None = None
    folder: SavedModelFolder | None = None
    training: dict[str, Any] | None = None
    assets: tuple[str, ...] = ()

    @property
    def is_keras(self) -> bool:
        """Whether Keras saved it, or TensorFlow alone."""
        return self.folder is None or self.folder.is_keras

    @property
    def is_legacy(self) -> bool:
        """Whether it is of Keras 2, which is tf-keras today."""
        return release(self.version)[0] < 3  # noqa: PLR2004 (Keras 3)

    @property
    def configs(self) -> tuple[dict[str, Any], ...]:
        """The configurations that it holds."""
        if self.folder is not None:
            return self.folder.metadata
        return () if self.config is None else (self.config,)


def release(version: str) -> tuple[int, int]:
    """Read the first two numbers of a version.

    >>> release("3.15.1"), release("2.4.0-tf"), release("2"), release("9" * 5000)
    ((3, 15), (2, 4), (2, 0), (999999, 999999))
    """
    numbers = re.findall(r"[0-9]{1,6}", version)[:2]
    major, minor = (*numbers, "0", "0")[:2]
    return int(major), int(minor)


def detect_format(path: Path) -> Format:
    """Tell the format of a model by what the file or folder holds, whatever its name.

    Raises :class:`ModelError` for what is missing or of another kind.
    """
    try:
        require_ordinary(path, ModelError)
        if path.is_dir():
            if (path / "saved_model.pb").is_file():
                return Format.SAVED_MODEL
            raise ModelError(f"{path}: no SavedModel: the folder holds no saved_model.pb")
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file; check the path") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    if start.startswith(_HDF5_MAGIC):
        return Format.H5
    if start.startswith(_ZIP_MAGIC):
        return Format.KERAS
    if start[4:8] == _TFLITE_IDENTIFIER:
        return Format.TFLITE
    if start.lstrip().startswith(b"{"):
        return Format.JSON
    raise ModelError(
        f"{path}: not a model: give a .keras file, a legacy .h5 file, a SavedModel folder, the"
        " JSON text of model.to_json() with --weights, or a float .tflite file"
    )


def read_stored(path: Path, stored: Format) -> StoredModel:
    """Read what a model of Keras or TensorFlow says of itself, and nothing of its weights.

    Raises :class:`ModelError` for a damaged file.
    """
    with _damage_of(path):
        return _READERS[stored](path)


def require_own_weights(path: Path, stored: Format) -> None:
    """Look through the weights that a model has in its file.

    Raises :class:`ModelError` for damage, and for more than the file's size explains, and
    :class:`~edgepack.core.errors.UnsafeModelError` for weights that are in other files.
    """
    with _damage_of(path):
        if stored is Format.H5:
            require_weights(path)
        elif stored is Format.KERAS:
            require_packed_weights(path)


@contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Take what a parser stumbles over for damage of the file."""
    try:
        yield
    except ModelError:
        raise
    except RecursionError:
        raise ModelError(f"{path}: damaged: its configuration is nested too deeply") from None
    except Exception as error:
        raise ModelError(f"{path}: cannot be loaded: {reason(error)}") from error


def compiled(path: Path) -> dict[str, Any]:
    """Read the ``loss`` and the ``optimizer`` with which a model was compiled, if it was.

    They are data here: nothing that they name is imported. Raises what :func:`read_stored` does.
    """
    stored = detect_format(path)
    held = read_stored(path, stored).training if stored is not Format.TFLITE else None
    held = held or {}
    return {
        "loss": held.get("loss"),
        "optimizer": held.get("optimizer_config") or held.get("optimizer"),
    }


def weights_ending(path: Path) -> str:
    """Tell by content the ending by which Keras knows a file of weights.

    That of a TensorFlow checkpoint, whose path names no file, is none. Raises
    :class:`ModelError` for what is missing or of another kind.
    """
    import h5py

    if list(weights_files(path)):
        return ""
    try:
        require_ordinary(path, ModelError)
        with path.open("rb") as file:
            start = file.read(len(_HDF5_MAGIC))
        if start == _HDF5_MAGIC:
            require_weights(path)
            with h5py.File(path) as weights:
                return ".h5" if "layer_names" in weights.attrs else ".weights.h5"
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file of weights; check the path") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    if (prefix := of_checkpoint(path)) is not None:
        raise ModelError(f"{path}: is a part of a TensorFlow checkpoint; give --weights {prefix}")
    raise ModelError(f"{path}: no weights of Keras; save them with model.save_weights()")


def require_weights(path: Path) -> None:
    """Look through a file of weights in HDF5; raises what :func:`read_stored` does."""
    import h5py

    with h5py.File(path) as file:
        require_own_values(path, file, path.stat().st_size)


def _read_h5(path: Path) -> StoredModel:
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"{path}: holds weights but no model; save the whole model with model.save(), or"
                " give the JSON text of model.to_json(), and this file with --weights"
            )
        return StoredModel(
            config=_mapping(path, file.attrs["model_config"]),
            training=_mapping(path, file.attrs.get("training_config", "{}")),
            version=str(file.attrs.get("keras_version", "2")),
        )


def _mapping(path: Path, text: str | bytes) -> dict[str, Any]:
    """Parse a text in JSON, in the encoding in which Keras reads it."""
    found = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    if not isinstance(found, dict):
        raise ModelError(f"{path}: damaged: its configuration is no mapping")
    return found


def _read_archive(path: Path) -> StoredModel:
    archive = read_archive(path)
    training = archive.config.pop("compile_config", None)
    return StoredModel(
        config=archive.config,
        assets=archive.assets,
        training=training if isinstance(training, dict) else None,
        version=str(archive.metadata["keras_version"]),
    )


def _read_json(path: Path) -> StoredModel:
    config = _mapping(path, path.read_bytes())
    if "class_name" not in config:
        raise ModelError(f"{path}: JSON, but no model of Keras; write it with model.to_json()")
    # Keras 2 writes its version, Keras 3 the module of the model's class.
    return StoredModel(config=config, version=str(config.get("keras_version", "3")))


def _read_saved_model(path: Path) -> StoredModel:
    folder = read_saved_model(path)
    return StoredModel(folder=folder, training=folder.training, version="2")


_READERS: dict[Format, Callable[[Path], StoredModel]] = {
    Format.H5: _read_h5,
    Format.KERAS: _read_archive,
    Format.JSON: _read_json,
    Format.SAVED_MODEL: _read_saved_model,
}
