"""Write small models whose outputs join values of unlike ranges, and data.

The tests use: ``python detectors.py FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

SAMPLES = 24
_L = keras.layers


def _heads(inputs: Any) -> tuple[Any, Any]:
    """Return boxes of 0 to some hundreds (4, 4), and scores of 0 to 1 (4, 3)."""
    x = _L.Conv2D(6, 3, strides=4, padding="same", activation="relu")(inputs)
    boxes = _L.Rescaling(150.0, offset=200.0)(_L.Reshape((4, 4))(_L.Conv2D(4, 1)(x)))
    scores = _L.Conv2D(3, 1, activation="sigmoid", kernel_initializer=_WIDE)(x)
    return boxes, _L.Reshape((4, 3))(scores)


_WIDE = keras.initializers.RandomNormal(stddev=2.0, seed=3)


def detector() -> keras.Model:
    """Build one with boxes and scores in one output."""
    inputs = keras.Input((8, 8, 1), name="image")
    joined = _L.Concatenate(name="detections")(_heads(inputs))
    return keras.Model(inputs, joined)


def apart() -> keras.Model:
    """Build one with boxes and scores in an output each."""
    inputs = keras.Input((8, 8, 1), name="image")
    return keras.Model(inputs, list(_heads(inputs)))


def permuted() -> keras.Model:
    """Build one whose boxes and scores are rows."""
    inputs = keras.Input((8, 8, 1), name="image")
    joined = _L.Concatenate()(_heads(inputs))
    return keras.Model(inputs, _L.Permute((2, 1), name="rows")(joined))


def mixed() -> keras.Model:
    """Build one with a box and its scores after one another in a flat output."""
    inputs = keras.Input((8, 8, 1), name="image")
    joined = _L.Concatenate()(_heads(inputs))
    return keras.Model(inputs, _L.Flatten(name="mixed")(joined))


def unmixed() -> keras.Model:
    """Build one with all boxes before all scores in a flat output."""
    inputs = keras.Input((8, 8, 1), name="image")
    return keras.Model(inputs, _L.Concatenate()([_L.Flatten()(each) for each in _heads(inputs)]))


def flat() -> keras.Model:
    """Build one with two values of some hundreds and three scores for each sample."""
    inputs = keras.Input((6,), name="x")
    wide = _L.Rescaling(200.0)(_L.Dense(2)(inputs))
    scores = _L.Dense(3, activation="sigmoid")(inputs)
    return keras.Model(inputs, _L.Concatenate(name="values")([wide, scores]))


def nested() -> keras.Model:
    """Build one that joins two levels, each of boxes and scores."""
    inputs = keras.Input((8, 8, 1), name="image")
    levels = [_L.Concatenate()(_heads(inputs)) for _ in range(2)]
    return keras.Model(inputs, _L.Concatenate(axis=1, name="levels")(levels))


def dense() -> keras.Model:
    """Build one whose only layer has values of unlike ranges: no parts to split."""
    inputs = keras.Input((6,), name="x")
    outputs = _L.Reshape((2, 2), name="values")(_L.Dense(4, name="all")(inputs))
    model = keras.Model(inputs, outputs)
    kernel = np.random.default_rng(0).normal(size=(6, 4)) * [300, 0.5, 300, 0.5]
    model.get_layer("all").set_weights([kernel, np.zeros(4)])
    return model


def main(folder: Path) -> None:
    """Write every model, their inputs, class numbers for one, and the outputs of another."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    image = random.random((SAMPLES, 8, 8, 1)).astype(np.float32)
    x = random.normal(size=(SAMPLES, 6)).astype(np.float32)
    np.savez(folder / "image.npz", image=image)
    np.savez(folder / "features.npz", x=x)
    np.savez(folder / "classes.npz", x=x, y=np.arange(SAMPLES) % 3)
    for build in (detector, apart, flat, nested, dense, permuted, mixed, unmixed):
        model = build()
        model.save(folder / f"{build.__name__}.keras")
        if build is detector:
            np.savez(folder / "labelled.npz", image=image, y=model.predict(image, verbose=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
