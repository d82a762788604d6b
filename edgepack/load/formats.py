"""Model formats: detects them by content, and reads configurations without weights."""

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
from edgepack.core.file_contents import (
    EXCHANGED,
    HDF5_MAGIC,
    TFLITE_IDENTIFIER,
    TFLITE_IDENTIFIER_AT,
    ZIP_MAGIC,
    holds_arrays,
)
from edgepack.core.packages import H5PY, lacking_package
from edgepack.core.user_files import require_not_special, require_readable
from edgepack.load.archive import read_archive, require_safe_archived_weights
from edgepack.load.hdf5 import require_safe_hdf5
from edgepack.load.saved_model import SavedModelFolder, read_saved_model
from edgepack.load.weights_checkpoint import checkpoint_parts, checkpoint_prefix


class Format(Enum):
    """Format of a stored model; the value is the ending that Keras expects, empty for a folder."""

    H5 = ".h5"
    KERAS = ".keras"
    JSON = ".json"
    TFLITE = ".tflite"
    SAVED_MODEL = ""


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """Contents of a model file without its weights.

    ``config`` is the model's configuration, ``folder`` what a SavedModel has instead; ``training``
    is how the model was compiled, if it was: data only, nothing that it names is loaded. ``assets``
    are files that its layers would read. ``version`` is that of the Keras that saved it.
    """

    version: str
    config: dict[str, Any] | None = None
    folder: SavedModelFolder | None = None
    training: dict[str, Any] | None = None
    assets: tuple[str, ...] = ()

    @property
    def is_keras(self) -> bool:
        """Whether Keras saved it, rather than TensorFlow alone."""
        return self.folder is None or self.folder.is_keras

    @property
    def is_legacy(self) -> bool:
        """Whether Keras 2 saved it, which is now tf-keras."""
        return release(self.version)[0] < 3  # noqa: PLR2004 (Keras 3)

    @property
    def configs(self) -> tuple[dict[str, Any], ...]:
        """All configurations in it."""
        if self.folder is not None:
            return self.folder.metadata
        return () if self.config is None else (self.config,)


def release(version: str) -> tuple[int, int]:
    """Return the major and minor number of a version, 0 for missing ones.

    >>> release("3.15.1"), release("2.4.0-tf"), release("2"), release("9" * 5000)
    ((3, 15), (2, 4), (2, 0), (999999, 999999))
    """
    numbers = re.findall(r"[0-9]{1,6}", version)[:2]
    major, minor = (*numbers, "0", "0")[:2]
    return int(major), int(minor)


def detect_format(path: Path) -> Format:
    """Detect the format of a model by the content of the file or folder, whatever its name.

    Raises :class:`ModelError` if it is missing or not a model.
    """
    with require_readable(path, ModelError, "model file"):
        require_not_special(path, ModelError)
        if path.is_dir():
            if (path / "saved_model.pb").is_file():
                return Format.SAVED_MODEL
            raise ModelError(f"{path}: not a SavedModel: the folder has no saved_model.pb")
        with path.open("rb") as file:
            start = file.read(64)
            file.seek(0)
            is_data = holds_arrays(file)
    if start.startswith(HDF5_MAGIC):
        return Format.H5
    if is_data:
        raise ModelError(f"{path}: holds arrays: it is data, not a model; {EXCHANGED}")
    if start.startswith(ZIP_MAGIC):
        return Format.KERAS
    if start[TFLITE_IDENTIFIER_AT] == TFLITE_IDENTIFIER:
        return Format.TFLITE
    if start.lstrip().startswith(b"{"):
        return Format.JSON
    raise ModelError(
        f"{path}: not a model: give a .keras file, a legacy .h5 file, a SavedModel folder, the"
        " JSON text of model.to_json() with --weights, or a float .tflite file"
    )


def read_stored_model(path: Path, file_format: Format) -> StoredModel:
    """Read a Keras or TensorFlow model without its weights.

    Raises :class:`ModelError` for a damaged file.
    """
    with _parsing(path):
        return _READERS[file_format](path)


def require_safe_weights(path: Path, file_format: Format) -> None:
    """Check the weights in a model's own file.

    Raises :class:`ModelError` if they are damaged or claim far more than the file's size, and
    :class:`~edgepack.core.errors.UnsafeModelError` if their values are in other files.
    """
    with _parsing(path):
        if file_format is Format.H5:
            require_safe_weights_file(path)
        elif file_format is Format.KERAS:
            require_safe_archived_weights(path)


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Report whatever a parser raises as damage of the file."""
    try:
        yield
    except ModelError:
        raise
    except RecursionError:
        raise ModelError(f"{path}: damaged: its configuration is nested too deeply") from None
    except Exception as error:
        if package := lacking_package(error):
            raise package.error(str(path)) from error
        raise ModelError(f"{path}: cannot be loaded: {reason(error)}") from error


def read_compile_settings(path: Path) -> dict[str, Any]:
    """Return the ``loss`` and ``optimizer`` that a model was compiled with; None without.

    They are data only: nothing that they name is imported. Raises what :func:`read_stored_model`
    does.
    """
    file_format = detect_format(path)
    training = (
        read_stored_model(path, file_format).training if file_format is not Format.TFLITE else None
    )
    training = training or {}
    return {
        "loss": training.get("loss"),
        "optimizer": training.get("optimizer_config") or training.get("optimizer"),
    }


def weights_ending(path: Path) -> str:
    """Return the ending that Keras expects of a file of weights, detected by content.

    It is empty for a TensorFlow checkpoint, whose path is not that of a file. Raises
    :class:`ModelError` if the file is missing or of another kind.
    """
    H5PY.require(str(path))
    import h5py

    if list(checkpoint_parts(path)):
        return ""
    with require_readable(path, ModelError, "weights file"):
        require_not_special(path, ModelError)
        with path.open("rb") as file:
            start = file.read(len(HDF5_MAGIC))
        if start == HDF5_MAGIC:
            require_safe_weights_file(path)
            with h5py.File(path) as weights:
                return ".h5" if "layer_names" in weights.attrs else ".weights.h5"
    if (prefix := checkpoint_prefix(path)) is not None:
        raise ModelError(f"{path}: is part of a TensorFlow checkpoint; use --weights {prefix}")
    raise ModelError(f"{path}: not Keras weights; save them with model.save_weights()")


def require_safe_weights_file(path: Path) -> None:
    """Check a file of weights in HDF5; raises what :func:`require_safe_weights` does."""
    import h5py

    with h5py.File(path) as file:
        require_safe_hdf5(path, file, path.stat().st_size)


def _read_h5(path: Path) -> StoredModel:
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"{path}: holds weights but no model; save the whole model with model.save(), or"
                " provide the JSON text of model.to_json(), and this file with --weights"
            )
        return StoredModel(
            config=_mapping(path, file.attrs["model_config"]),
            training=_mapping(path, file.attrs.get("training_config", "{}")),
            version=str(file.attrs.get("keras_version", "2")),
        )


def _mapping(path: Path, text: str | bytes) -> dict[str, Any]:
    """Parse JSON, in the encoding in which Keras reads it; raise if it is not a mapping."""
    value = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    if not isinstance(value, dict):
        raise ModelError(f"{path}: damaged: its configuration is not a mapping")
    return value


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
        raise ModelError(f"{path}: JSON, but not a Keras model; write it with model.to_json()")
    # Only Keras 2 writes its version.
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
