"""Environment variables for TensorFlow that depend on the model, to be set before its import."""

from __future__ import annotations

import json
from pathlib import Path

from edgepack.config.model_source import ModelSource
from edgepack.load.formats import Format, detect_format, read_stored_model

# Of TensorFlow's CPU kernels, only oneDNN's support convolutions with channels first. Their results
# are bit-identical only on the same processor, so they are off where they are not needed.
_ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "1"}

_KERAS_3 = {"TF_USE_LEGACY_KERAS": "0"}
"""For the user's own code, which may refer to Keras 3 as ``tf.keras``."""


def environment_variables(source: ModelSource) -> dict[str, str]:
    """Return the environment variables to set for a model. Does not import TensorFlow.

    Raises what :func:`~edgepack.load.formats.detect_format` and
    :func:`~edgepack.load.formats.read_stored_model` do.
    """
    file_format = detect_format(source.path)
    if file_format is Format.TFLITE:
        return {}
    if file_format is Format.SAVED_MODEL:
        return _ONEDNN if _has_channels_first(source.path) else {}
    stored = read_stored_model(source.path, file_format)
    variables = _ONEDNN if "channels_first" in json.dumps(stored.config) else {}
    return variables | (_KERAS_3 if source.custom_objects and not stored.is_legacy else {})


def _has_channels_first(folder: Path) -> bool:
    """Whether a node of the graph has channels first; parsing the graph would need TensorFlow."""
    graph = (folder / "saved_model.pb").read_bytes()
    return any(_data_format(name) in graph for name in (b"NCHW", b"NCDHW"))


def _data_format(name: bytes) -> bytes:
    """Encode a node's attribute as a protocol buffer; lists of operator definitions differ.

    Source: ``tensorflow/core/framework``: an entry of ``NodeDef.attr``, whose value is the ``s`` of
    an ``AttrValue``.
    """
    value = b"\x12" + bytes([len(name)]) + name
    return b"\n\x0bdata_format\x12" + bytes([len(value)]) + value
