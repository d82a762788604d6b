"""Writes a float and an int8 classifier of the same weights, their data, and unlike files.

None of it needs TensorFlow.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import tiny

_CLASSES = 3
_VALUES = 4
_IN, _WEIGHT, _OUT = 1 / 64, 1 / 100, 1 / 16


def write_classifiers(folder: Path) -> None:
    """Write float.tflite, int8.tflite, and 200 samples with labels as .npz and CSV, .npy without.

    Class k is the largest of the first three of four values from -1 to 1.
    """
    weights = np.zeros((_CLASSES, _VALUES))
    weights[:, :_CLASSES] = np.eye(_CLASSES)
    table = {"table": "FullyConnectedOptions"}
    (folder / "float.tflite").write_bytes(
        tiny.one_operator(
            "FULLY_CONNECTED",
            [tiny.Value((1, _VALUES)), tiny.Value(weights.shape, values=weights), None],
            [tiny.Value((1, _CLASSES))],
            **table,
        )
    )
    steps = np.round(weights / _WEIGHT)
    (folder / "int8.tflite").write_bytes(
        tiny.one_operator(
            "FULLY_CONNECTED",
            [
                tiny.Value((1, _VALUES), "int8", _IN),
                tiny.Value(weights.shape, "int8", _WEIGHT, values=steps),
                None,
            ],
            [tiny.Value((1, _CLASSES), "int8", _OUT)],
            version=4,
            **table,
        )
    )
    x = np.random.default_rng(0).uniform(-1, 1, (200, _VALUES)).astype(np.float32)
    y = x[:, :_CLASSES].argmax(axis=1)
    np.savez(folder / "data.npz", x=x, y=y)
    np.save(folder / "data.npy", x)
    rows = [
        ",".join([*map(repr, map(float, row)), str(label)]) for row, label in zip(x, y, strict=True)
    ]
    (folder / "data.csv").write_text("\n".join(["a,b,c,d,y", *rows]))
    (folder / "columns.toml").write_text('[data]\nlabel = "y"\n')


def write_what_needs_tensorflow(folder: Path) -> None:
    """Write the beginnings of Keras models and of a TFRecord, and functions that use TensorFlow."""
    (folder / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    (folder / "saved").mkdir()
    (folder / "saved" / "saved_model.pb").write_bytes(b"")
    (folder / "model.json").write_text('{"class_name": "Sequential"}')
    # The length 0 with its checksum, and the checksum of nothing.
    (folder / "data.tfrecord").write_bytes(bytes(8) + bytes.fromhex("29039807d8ea82a2"))
    (folder / "mine.py").write_text(
        "def dataset():\n"
        "    import tensorflow as tf\n"
        "    return tf.data.Dataset.range(8)\n"
        "def score(outputs, labels):\n"
        "    import keras\n"
    )
    (folder / "sequence.py").write_text("import keras\n")
