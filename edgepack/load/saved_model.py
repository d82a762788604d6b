"""SavedModel folders, read as far as what says what is in them."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import shown
from edgepack.core.user_files import is_special, leads_out
from edgepack.load.allowlist import Kit, kit

_KERAS = "_tf_keras_"
_METADATA = "keras_metadata.pb"


@dataclass(frozen=True, kw_only=True)
class SavedModelFolder:
    """The protocol buffers of a SavedModel: ``saved`` and what Keras says of its objects.

    Of ``metadata`` each entry is a mapping; how the model was trained is left out, which is never
    loaded.
    """

    saved: Any
    metadata: tuple[dict[str, Any], ...]
    training: dict[str, Any] | None
    is_keras: bool


def read_saved_model(path: Path) -> SavedModelFolder:
    """Read what a SavedModel holds, and nothing of its weights.

    Raises :class:`UnsafeModelError` for links that lead out of the folder, and
    :class:`ModelError` for what is damaged.
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
        or any(node.user_object.identifier.startswith(_KERAS) for its in roots for node in its),
    )


def built_by_keras(
    metadata: tuple[dict[str, Any], ...], known: Container[str]
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Go through what Keras builds of a SavedModel's metadata, and whether it knows the class.

    ``known`` are the names of classes that the user vouches for. What Keras does not know it calls
    by the saved graph alone: then its configuration is not used.
    """
    keras = kit("tf_keras")
    for each in metadata:
        name = each.get("class_name")
        is_known = not isinstance(name, str) or name in known or _resolves(keras, name)
        if is_known or each.get("is_graph_network"):
            yield each, True
        else:
            yield {key: each[key] for key in each if key not in ("config", "model_config")}, False


def _resolves(keras: Kit, name: str) -> bool:
    """Whether Keras 2 finds something by a name: what is listed, or what it has beyond that."""
    if keras.has(name) or name in keras.left_out:
        return True
    import tf_keras
    from tf_keras.src import metrics
    from tf_keras.src.layers import serialization

    serialization.populate_deserializable_objects()
    known = tf_keras.saving.get_registered_object(name)
    return known is not None or name in serialization.LOCAL.ALL_OBJECTS or name in vars(metrics)


def _require_contained(path: Path) -> None:
    """Raise :class:`UnsafeModelError` for a link to what is not in the folder: it may be a secret.

    Its bytes would become weights.
    """
    folder = path.resolve()
    for each in path.rglob("*"):
        if is_special(each):
            raise ModelError(
                f"{path}: {shown(each.relative_to(path))} is a pipe, a socket or a device"
            )
        if leads_out(each, folder):
            raise UnsafeModelError(
                f"{path}: {shown(each.relative_to(path))} is a link that leads out of the folder;"
                " copy the folder with what it links to: cp -rL"
            )


def _mapping(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError:
        raise ModelError(f"{path}: damaged: its metadata are nested too deeply") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path}: damaged: its metadata are no mapping")
    return found
