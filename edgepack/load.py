"""Keras model files: told apart by content, refused if they would run code, loaded.

Only :func:`load_keras` imports Keras, and with it TensorFlow.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgepack.errors import ModelError, reason
from edgepack.keras_model import KerasModel
from edgepack.safety import refuse_code, refuse_operators

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"


class Format(Enum):
    """How a model is stored, by the ending that Keras knows it by; a folder has none."""

    H5 = ".h5"
    KERAS = ".keras"
    SAVED_MODEL = ""


def detect(path: Path) -> Format:
    """Tell the format of a model by what the file or folder holds, whatever its name.

    Raises :class:`ModelError` for what is missing or of another kind.
    """
    try:
        if path.is_dir():
            if (path / "saved_model.pb").is_file():
                return Format.SAVED_MODEL
            raise ModelError(f"{path}: no SavedModel: the folder holds no saved_model.pb")
        with path.open("rb") as file:
            start = file.read(len(_HDF5_MAGIC))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file; check the path") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    if start == _HDF5_MAGIC:
        return Format.H5
    if start.startswith(_ZIP_MAGIC):
        return Format.KERAS
    raise ModelError(
        f"{path}: not a Keras model: give a legacy .h5 file, a .keras file or a SavedModel folder"
    )


def load_keras(path: Path) -> KerasModel:
    """Load a model, uncompiled, with the Keras that saved it.

    Raises :class:`UnsafeModelError` if loading would run code from the file, and
    :class:`ModelError` if the file is damaged, or holds what that Keras does not know.
    """
    stored = detect(path)
    try:
        configs, version = _READERS[stored](path)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(_damaged(path, error)) from error
    for config in configs:
        refuse_code(path, config)
    keras = _keras(legacy=_release(version)[0] < 3)  # noqa: PLR2004 (Keras 3)
    try:
        with _named(path, stored) as file:
            model = keras.models.load_model(file, compile=False)
    except Exception as error:
        raise ModelError(_damaged(path, error) + _newer(version, keras)) from error
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"{path}: a SavedModel without its Keras layers; save the model with Keras itself"
        )
    loaded = KerasModel(model, keras, path)
    loaded.require_finite()
    return loaded


@contextmanager
def _named(path: Path, stored: Format) -> Iterator[Path]:
    """Give a file the ending of its format: Keras goes by the name."""
    if stored is Format.SAVED_MODEL or path.suffix == stored.value:
        yield path
        return
    with TemporaryDirectory(prefix="edgepack-") as folder:
        link = Path(folder) / f"model{stored.value}"
        link.symlink_to(path.resolve())
        yield link


def _keras(*, legacy: bool) -> Any:
    if legacy:
        import tf_keras

        return tf_keras
    import keras

    return keras


def _damaged(path: Path, error: Exception) -> str:
    return f"{path}: cannot be loaded: {reason(error)}"


def _newer(version: str, keras: Any) -> str:
    """Say so if a Keras newer than the one here saved the model."""
    if _release(version) <= _release(keras.__version__):
        return ""
    return f"; {keras.__name__} {version} saved it, and here is {keras.__version__}: upgrade"


def _release(version: str) -> tuple[int, int]:
    """Read the first two numbers of a version.

    >>> _release("3.15.1"), _release("2.4.0-tf"), _release("2")
    ((3, 15), (2, 4), (2, 0))
    """
    numbers = re.findall(r"\d+", version)[:2]
    major, minor = (*numbers, "0", "0")[:2]
    return int(major), int(minor)


def _read_h5(path: Path) -> tuple[list[Any], str]:
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"{path}: holds weights but no model; save the whole model with model.save()"
            )
        return [json.loads(file.attrs["model_config"])], str(file.attrs.get("keras_version", "2"))


def _read_archive(path: Path) -> tuple[list[Any], str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names or "metadata.json" not in names:
            raise ModelError(
                f"{path}: a zip file, but no .keras model: it holds no config.json"
                " or no metadata.json"
            )
        version = str(json.loads(archive.read("metadata.json"))["keras_version"])
        config = json.loads(archive.read("config.json"))
    config.pop("compile_config", None)  # never loaded, so what it names is never imported
    return [config], version


def _read_saved_model(path: Path) -> tuple[list[Any], str]:
    """Find the layers' configurations: JSON texts inside the protocol buffers.

    Raises :class:`UnsafeModelError` for a graph that reaches outside itself.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        refuse_operators(path, (node.op for node in graph.node))
        for function in graph.library.function:
            refuse_operators(path, (node.op for node in function.node_def))
    metadata = path / "keras_metadata.pb"
    blob = (metadata if metadata.is_file() else path / "saved_model.pb").read_bytes()
    text = blob.decode("latin-1")  # one character a byte: JSON itself is ASCII
    decoder = json.JSONDecoder()
    configs: list[Any] = []
    start = text.find('{"')
    while start >= 0:
        try:
            config, end = decoder.raw_decode(text, start)
            configs.append(config)
        except json.JSONDecodeError:
            end = start + 1
        start = text.find('{"', end)
    return configs, "2"


_READERS = {
    Format.H5: _read_h5,
    Format.KERAS: _read_archive,
    Format.SAVED_MODEL: _read_saved_model,
}
