"""Whether a model has its channels first, told before anything parses its file."""

from __future__ import annotations

import mmap
from pathlib import Path

_SIGNS = (b"channels_first", b"NCHW")
"""What configurations of Keras, and operators in graphs of TensorFlow, call it."""


def may_be_channels_first(path: Path) -> bool:
    """Tell whether a model's file, or the graph of a SavedModel, may be of such a model.

    Keras and TensorFlow write configurations and graphs as they are, not compressed.
    """
    file = path / "saved_model.pb" if path.is_dir() else path
    if not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(sign) >= 0 for sign in _SIGNS)
