"""Settings of TensorFlow that depend on the model: they must stand before it is imported."""

from __future__ import annotations

import json
from pathlib import Path

from edgepack.config.export import ModelSource
from edgepack.load.formats import Format, detect_format, read_stored

# Of TensorFlow's kernels for processors, only oneDNN's convolve with the channels first. They give
# the same bits on the same processor only, so they are off where they are not needed.
_ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "1"}

_KERAS_3 = {"TF_USE_LEGACY_KERAS": "0"}
"""The user's own code may call it ``tf.keras``."""


def environment(source: ModelSource) -> dict[str, str]:
    """Tell the variables to set for a model, by what its file says. Imports no TensorFlow.

    Raises what :func:`~edgepack.load.formats.detect_format` and
    :func:`~edgepack.load.formats.read_stored` do.
    """
    stored = detect_format(source.path)
    if stored is Format.TFLITE:
        return {}
    if stored is Format.SAVED_MODEL:
        return _ONEDNN if _has_channels_first(source.path) else {}
    held = read_stored(source.path, stored)
    found = _ONEDNN if "channels_first" in json.dumps(held.config) else {}
    return found | (_KERAS_3 if source.custom_objects and not held.is_legacy else {})


def _has_channels_first(folder: Path) -> bool:
    """Whether an operator of a graph says so. Parsing it would take TensorFlow."""
    graph = (folder / "saved_model.pb").read_bytes()
    return any(_data_format(name) in graph for name in (b"NCHW", b"NCDHW"))


def _data_format(name: bytes) -> bytes:
    """Write a node's attribute as protocol buffers do, that is, unlike the list of operators.

    By ``tensorflow/core/framework``: an entry of ``NodeDef.attr``, whose value is the ``s`` of an
    ``AttrValue``.
    """
    value = b"\x12" + bytes([len(name)]) + name
    return b"\n\x0bdata_format\x12" + bytes([len(value)]) + value
