"""Writes float models, and the ranges that TensorFlow's own calibrator records for them.

Run it as a script, in a process of its own, with the output folder as argument.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tf_keras

from edgepack.calibration.activations.tensorflow_calibrator import calibrate_fused
from edgepack.conversion.to_tflite import to_float_tflite
from edgepack.core.progress import ignore
from edgepack.load.keras_model import KerasModel

SAMPLES = 100


def models() -> dict[str, tf_keras.Model]:
    """Build one model for each case that calibration treats differently."""
    layers, sequential = tf_keras.layers, tf_keras.Sequential
    image = layers.Input((8, 8, 3))
    before = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    shortcut = layers.Add()([layers.Conv2D(4, 3, padding="same")(before), before])
    pooled = layers.MaxPooling2D()(layers.ReLU()(shortcut))
    residual = layers.Dense(3, "softmax")(layers.Flatten()(pooled))
    flat = layers.Input((12,))
    joined = layers.Concatenate()([layers.Dense(4)(flat), layers.Dense(4, "tanh")(flat)])
    return {
        "residual": tf_keras.Model(image, residual),
        "reshaped": sequential(
            [layers.Input((12,)), layers.Reshape((3, 4)), layers.Conv1D(4, 2), layers.Flatten()]
        ),
        "joined": tf_keras.Model(flat, layers.Dense(2)(joined)),
        # Its transpositions make the batch the last axis: samples can only be run one by one.
        "transposed": sequential(
            [
                layers.Input((4, 5), batch_size=1),
                layers.Lambda(lambda x: tf_keras.backend.permute_dimensions(x, (2, 1, 0))),
                layers.Lambda(lambda x: x[:2, 1:, :] - x[2:4, 1:, :]),
                layers.Lambda(lambda x: tf_keras.backend.reshape(x, (1, 6))),
                layers.Dense(3),
            ]
        ),
        "recurrent": sequential([layers.Input((5, 4)), layers.LSTM(3), layers.Dense(2)]),
    }


def main(folder: Path) -> None:
    """Write NAME.tflite, NAME.npy with the samples, and NAME.recorded.tflite of each model."""
    tf_keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    for name, model in models().items():
        loaded = KerasModel(model, tf_keras, Path(name))
        (spec,) = loaded.signature.inputs
        samples = random.normal(size=(SAMPLES, *spec.shape)).astype(np.float32)
        tflite = to_float_tflite(loaded, [samples]).tflite
        np.save(folder / f"{name}.npy", samples)
        (folder / f"{name}.tflite").write_bytes(tflite)
        recorded = calibrate_fused(tflite, [samples], ignore)
        (folder / f"{name}.recorded.tflite").write_bytes(recorded)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
