"""How models are stored: told apart by content, and read as far as their configurations."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from edgepack.errors import ModelError, reason

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
class Stored:
    """What a model file says of itself.

    ``configs`` are the configurations of its layers, ``operators`` the TensorFlow operators of
    its graph, if it holds one; ``version`` is that of the Keras that saved it.
    """

    configs: list[Any]
    version: str
    operators: tuple[str, ...] = ()
    is_keras: bool = True


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


def read(path: Path, stored: Format) -> Stored:
    """Read what a model of Keras or TensorFlow says of itself, and nothing of its weights.

    Raises :class:`ModelError` for a damaged file.
    """
    try:
        return _READERS[stored](path)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: cannot be loaded: {reason(error)}") from error


def compiled(path: Path) -> dict[str, Any]:
    """Read the ``loss`` and the ``optimizer`` with which a Keras model was compiled, if it was.

    They are data here: nothing that they name is imported.
    """
    stored = detect(path)
    if stored is Format.H5:
        import h5py

        with h5py.File(path) as file:
            held = json.loads(file.attrs.get("training_config", "{}"))
    elif stored is Format.KERAS:
        with zipfile.ZipFile(path) as archive:
            held = json.loads(archive.read("config.json")).get("compile_config")
    elif stored is Format.SAVED_MODEL:
        configs = _read_saved_model(path).configs
        held = next((config for each in configs if (config := each.get("training_config"))), None)
    else:
        held = None
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

    if path.with_name(f"{path.name}.index").is_file():
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(len(_HDF5_MAGIC))
        if start == _HDF5_MAGIC:
            with h5py.File(path) as weights:
                return ".h5" if "layer_names" in weights.attrs else ".weights.h5"
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file of weights; check the path") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    raise ModelError(f"{path}: no weights of Keras; save them with model.save_weights()")


def _read_h5(path: Path) -> Stored:
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"{path}: holds weights but no model; save the whole model with model.save(), or"
                " give the JSON text of model.to_json(), and this file with --weights"
            )
        return Stored(
            configs=[json.loads(file.attrs["model_config"])],
            version=str(file.attrs.get("keras_version", "2")),
        )


def _read_archive(path: Path) -> Stored:
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
    return Stored(configs=[config], version=version)


def _read_json(path: Path) -> Stored:
    config = json.loads(path.read_text("utf-8"))
    if "class_name" not in config:
        raise ModelError(f"{path}: JSON, but no model of Keras; write it with model.to_json()")
    # Keras 2 writes its version, Keras 3 the module of the model's class.
    return Stored(configs=[config], version=str(config.get("keras_version", "3")))


def _read_saved_model(path: Path) -> Stored:
    """Find the layers' configurations: JSON texts inside the protocol buffers."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    roots = [list(meta.object_graph_def.nodes)[:1] for meta in saved.meta_graphs]
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [
        node
        for graph in graphs
        for function in graph.library.function
        for node in function.node_def
    ]
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
    return Stored(
        configs=configs,
        version="2",
        operators=tuple(dict.fromkeys(node.op for node in nodes)),
        is_keras=metadata.is_file()
        or any(node.user_object.identifier.startswith("_tf_keras_") for (node,) in roots),
    )


_READERS: dict[Format, Callable[[Path], Stored]] = {
    Format.H5: _read_h5,
    Format.KERAS: _read_archive,
    Format.JSON: _read_json,
    Format.SAVED_MODEL: _read_saved_model,
}
