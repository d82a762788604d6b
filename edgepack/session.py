"""The inside of the TensorFlow worker process: one model, from loading to int8."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # at once, while the parent reads the data

from edgepack.arrays import load_array, save_array
from edgepack.calibration.calibrator import calibrate
from edgepack.compress.prune import Training, kernel_sparsity, prune
from edgepack.convert import to_float_tflite
from edgepack.errors import ModelError, reason
from edgepack.keras_model import KerasModel
from edgepack.load import load_keras
from edgepack.metrics import Loss
from edgepack.progress import Update
from edgepack.quantize.int8 import quantize_int8

_BATCH = 64


class KerasSession:
    """Holds the model as given, and as it is after pruning.

    Every method takes and returns JSON; ``update`` receives its progress. Paths name .npy arrays
    and .tflite files to read or write.
    """

    _given: KerasModel
    _current: KerasModel

    def load(self, *, model: str, update: Update) -> dict[str, Any]:
        """Load a model; returns its input and output (name, shape, dtype)."""
        update(0, 1)
        self._given = self._current = load_keras(Path(model))
        return {
            kind: {"name": spec.name, "shape": spec.shape, "dtype": spec.dtype}
            for kind, spec in (("input", self._given.input), ("output", self._given.output))
        }

    def prune(
        self, *, samples: str, sparsity: float, training: dict[str, Any] | None, update: Update
    ) -> dict[str, Any]:
        """Replace the current model by one that is pruned.

        ``training`` holds the fields of :class:`~edgepack.compress.prune.Training`, arrays as
        paths. Returns the fields of :class:`~edgepack.compress.prune.Pruning`.
        """
        self._current, pruning = prune(
            self._given,
            load_array(Path(samples)),
            sparsity=sparsity,
            training=Training(
                x=load_array(Path(training["x"])),
                y=load_array(Path(training["y"])),
                loss=Loss(training["loss"]),
                epochs=training["epochs"],
            )
            if training
            else None,
            update=update,
        )
        return asdict(pruning)

    def sparsity(self, *, update: Update) -> dict[str, Any]:
        """Measure the zeros in the current model's weights."""
        update(0, 1)
        measured = kernel_sparsity(self._current)
        return {"overall": measured.overall, "layers": measured.layers}

    def convert(self, *, sample_shape: list[int], float_tflite: str, update: Update) -> None:
        """Write the current model as a float .tflite."""
        update(0, 1)
        Path(float_tflite).write_bytes(to_float_tflite(self._current, tuple(sample_shape)))

    def quantize(
        self, *, float_tflite: str, representative: str, int8_tflite: str, update: Update
    ) -> None:
        """Write the full-integer form of a float .tflite."""
        samples = load_array(Path(representative))
        calibrated = calibrate(Path(float_tflite).read_bytes(), samples, update)
        Path(int8_tflite).write_bytes(quantize_int8(calibrated))

    def predict(self, *, pruned: bool, x: str, outputs: str, update: Update) -> None:
        """Write the outputs of the Keras model, as given or after pruning."""
        loaded = self._current if pruned else self._given
        samples = load_array(Path(x))
        spec = tf.TensorSpec((loaded.batch, *samples.shape[1:]), samples.dtype)
        run = tf.function(loaded, input_signature=[spec])
        batch = loaded.batch or _BATCH
        results = []
        for start in range(0, len(samples), batch):
            try:
                results.append(run(samples[start : start + batch]).numpy())
            except Exception as error:
                raise ModelError(
                    f"{loaded.path}: TensorFlow cannot run the model on"
                    f" {samples[:batch].shape} {samples.dtype}: {reason(error)}"
                ) from error
            update(min(start + batch, len(samples)), len(samples))
        values = np.concatenate(results)
        if not np.isfinite(values).all():
            raise ModelError(
                f"{loaded.path}: the float model gives NaN or infinity for these inputs; check"
                " their scale"
            )
        save_array(Path(outputs), values)
