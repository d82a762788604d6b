"""Reads SavedModel folders without their weights."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.packages import TF_KERAS
from edgepack.core.printable import quote_name
from edgepack.core.user_files import is_special, leads_outside
from edgepack.load.allowlist import AllowedKerasNames, allowed_keras_names

_KERAS = "_tf_keras_"
_METADATA = "keras_metadata.pb"


@dataclass(frozen=True, kw_only=True)
class SavedModelFolder:
    """Contents of a SavedModel.

    ``saved`` is its protocol buffer, ``metadata`` Keras's configuration of each object, without
    that of the training, which is never loaded. ``training`` is how the model was compiled, if it
    was; ``is_keras`` is whether Keras saved it.
    """

    saved: Any
    metadata: tuple[dict[str, Any], ...]
    training: dict[str, Any] | None
    is_keras: bool


def read_saved_model(path: Path) -> SavedModelFolder:
    """Read a SavedModel without its weights.

    Raises :class:`UnsafeModelError` for links that lead out of the folder, and
    :class:`ModelError` if it is damaged.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    _require_contained(path)
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    objects = [node for meta in saved.meta_graphs for node in meta.object_graph_def.nodes]
    texts = [
        node.user_object.metadata
        for node in objects
        if node.user_object.identifier.startswith(_KERAS) and node.user_object.metadata
    ]
    file = path / _METADATA
    if file.is_file():
        from tf_keras.protobuf import saved_metadata_pb2

        nodes = saved_metadata_pb2.SavedMetadata.FromString(file.read_bytes()).nodes
        texts += [node.metadata for node in nodes]
    metadata = [_mapping(path, text) for text in texts]
    training = [each.pop("training_config", None) for each in metadata]
    roots = [list(meta.object_graph_def.nodes)[:1] for meta in saved.meta_graphs]
    return SavedModelFolder(
        saved=saved,
        metadata=tuple(metadata),
        training=next((each for each in training if isinstance(each, dict)), None),
        is_keras=file.is_file()
        or any(node.user_object.identifier.startswith(_KERAS) for root in roots for node in root),
    )


def keras_configurations(
    metadata: tuple[dict[str, Any], ...], known: Container[str]
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the configurations that Keras uses of a SavedModel, and whether it builds the class.

    ``known`` are the names of classes that the user vouches for. Objects of classes that Keras does
    not find are run by the saved graph alone, without their configurations.
    """
    names = allowed_keras_names("tf_keras")
    for config in metadata:
        name = config.get("class_name")
        is_found = not isinstance(name, str) or name in known or _finds(names, name)
        if is_found or config.get("is_graph_network"):
            yield config, True
        else:
            unused = ("config", "model_config")
            yield {key: config[key] for key in config if key not in unused}, False


def _finds(names: AllowedKerasNames, name: str) -> bool:
    """Whether Keras 2 finds an object by a name, listed or not."""
    if names.has(name) or name in names.left_out:
        return True
    TF_KERAS.require()
    import tf_keras
    from tf_keras.src import metrics
    from tf_keras.src.layers import serialization

    serialization.populate_deserializable_objects()
    registered = tf_keras.saving.get_registered_object(name)
    return (
        registered is not None or name in serialization.LOCAL.ALL_OBJECTS or name in vars(metrics)
    )


def _require_contained(path: Path) -> None:
    """Raise :class:`UnsafeModelError` for a link that leads out of the folder.

    The bytes of its target, which may be secret, would become weights.
    """
    folder = path.resolve()
    for each in path.rglob("*"):
        if is_special(each):
            raise ModelError(
                f"{path}: {quote_name(each.relative_to(path))} is a pipe, a socket or a device"
            )
        if leads_outside(each, folder):
            raise UnsafeModelError(
                f"{path}: {quote_name(each.relative_to(path))} is a link that leads out of the"
                " folder; copy the folder with the targets of its links: cp -rL"
            )


def _mapping(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError:
        raise ModelError(f"{path}: damaged: its metadata is nested too deeply") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: damaged: its metadata is not a mapping")
    return value
