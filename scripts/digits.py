"""Train a small CNN on scikit-learn's handwritten digits; write digits.h5 and its data.

python scripts/digits.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tf_keras
from sklearn.datasets import load_digits

TEST_SAMPLES = 400
CALIBRATION_SAMPLES = 100
EPOCHS = 15


def main(folder: Path) -> None:
    """Write digits.h5, train.npz, calibration.npz and test.npz."""
    digits = load_digits()
    x = (digits.images[..., np.newaxis] / 16).astype(np.float32)
    y = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    train, test = slice(TEST_SAMPLES, None), slice(TEST_SAMPLES)

    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    print(f"training a CNN of {model.count_params():,} parameters on {len(x[train])} digits")
    model.fit(x[train], y[train], epochs=EPOCHS, batch_size=32, verbose=0)
    _, accuracy = model.evaluate(x[test], y[test], verbose=0)
    print(f"float accuracy {accuracy:.4f} on {TEST_SAMPLES} others")

    tf_keras.models.save_model(model, folder / "digits.h5", save_format="h5")
    np.savez(folder / "train.npz", x=x[train], y=y[train])
    np.savez(folder / "calibration.npz", x=x[train][:CALIBRATION_SAMPLES])
    np.savez(folder / "test.npz", x=x[test], y=y[test])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
