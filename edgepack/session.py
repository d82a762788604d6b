"""The inside of the TensorFlow worker process: one model, from loading to quantization."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.arrays import array_paths, load_arrays
from edgepack.calibration.fused import calibrate_fused
from edgepack.calibration.lint import Testimony
from edgepack.calibration.lint.training import lint_training
from edgepack.compress.kernels import kernel_sparsity
from edgepack.compress.prune import Pruning, prune
from edgepack.compress.prune_file import prune_file
from edgepack.compress.strategy import strategy as start_strategy
from edgepack.compress.training import Training
from edgepack.convert import to_float_tflite
from edgepack.errors import ModelError
from edgepack.load import load_model
from edgepack.load.environment import environment
from edgepack.load.formats import compiled
from edgepack.load.keras_model import KerasModel
from edgepack.load.model import FloatModel
from edgepack.load.tflite_file import TfliteFile
from edgepack.metrics import Loss
from edgepack.progress import Update
from edgepack.quantize.scheme import quantize, quantize_constants
from edgepack.recipe import FineTune, Prune, Schedule, Source
from edgepack.schemes import Quantization
from edgepack.sparsity import Sparsity
from edgepack.spool import Spool
from edgepack.types import Loaded


class ModelSession:
    """Holds the model of a source as given, and as it is after pruning.

    What methods take and return goes through JSON (:mod:`edgepack.codec`); ``update`` receives
    their progress. Arrays are paths of .npy files by name, in the model's order.
    """

    _given: FloatModel
    _current: FloatModel

    def __init__(self, *, source: Source) -> None:
        self._source = source
        os.environ.update(environment(self._source))
        import tensorflow  # noqa: F401 (at once, while the parent reads the data)

    def load(self, *, strategy: str | None, update: Update) -> Loaded:
        """Load a model.

        ``strategy`` is how it will be trained: hosts are joined before TensorFlow does anything.
        """
        update(0, 1)
        if strategy:
            start_strategy(strategy)
        self._given = self._current = load_model(self._source)
        return Loaded(signature=self._given.signature, runtime=self._given.runtime)

    def lint(
        self, *, role: str, inputs: dict[str, str], labels: dict[str, str], update: Update
    ) -> Testimony:
        """Hold samples and their class numbers against what the model shows of its training."""
        update(0, 1)
        findings, witnesses = lint_training(
            self._given, role, load_arrays(inputs), load_arrays(labels)
        )
        return Testimony(findings=tuple(findings), witnesses=tuple(witnesses))

    def prune(
        self,
        *,
        samples: dict[str, str],
        settings: dict[str, Any],
        training: dict[str, Any] | None,
        update: Update,
    ) -> Pruning:
        """Replace the current model by one that is pruned.

        ``settings`` holds the fields of :class:`~edgepack.recipe.Prune`, ``training`` those of
        :class:`~edgepack.compress.training.Training` that are not among them.
        """
        wanted = _prune_settings(settings)
        arrays = load_arrays(samples)
        if isinstance(self._given, KerasModel):
            taught = training and Training(
                inputs=load_arrays(training["inputs"]),
                labels=load_arrays(training["labels"]),
                losses={name: Loss(loss) for name, loss in training["losses"].items()},
                settings=wanted.fine_tune or FineTune(train=Path()),
                compiled=compiled(self._source.path),
                fingerprint=training["fingerprint"],
            )
            self._current, pruning = prune(
                self._given, self._load_keras, arrays, wanted, taught or None, update
            )
        else:
            self._current, pruning = self._prune_file(arrays, wanted)
        return pruning

    def sparsity(self, *, update: Update) -> Sparsity | None:
        """Measure the zeros in the current model's layers; None if it has none of Keras's."""
        update(0, 1)
        if not isinstance(self._current, KerasModel):
            return None
        return kernel_sparsity(self._current)

    def convert(
        self, *, shapes: list[list[int]], float_tflite: str, update: Update
    ) -> dict[str, Any]:
        """Write the current model as a float .tflite; returns the layers that were unrolled."""
        update(0, 1)
        converted = to_float_tflite(self._current, [tuple(shape) for shape in shapes])
        Path(float_tflite).write_bytes(converted.tflite)
        return {"unrolled": converted.unrolled}

    def calibrate_fused(
        self,
        *,
        float_tflite: str,
        representative: dict[str, str],
        calibrated_tflite: str,
        update: Update,
    ) -> None:
        """Write the ranges of a model with fused recurrent operators into a float .tflite."""
        samples = list(load_arrays(representative).values())
        calibrated = calibrate_fused(Path(float_tflite).read_bytes(), samples, update)
        Path(calibrated_tflite).write_bytes(calibrated)

    def quantize(
        self,
        *,
        float_tflite: str,
        calibrated_tflite: str,
        settings: Quantization,
        quantized_tflite: str,
        update: Update,
    ) -> None:
        """Write the quantized form of a float .tflite.

        ``calibrated_tflite`` carries its ranges, if the scheme needs them.
        """
        update(0, 1)
        tflite = Path(float_tflite).read_bytes()
        if settings.needs_ranges:
            quantized = quantize(tflite, Path(calibrated_tflite).read_bytes(), settings)
        else:
            quantized = quantize_constants(tflite, settings)
        Path(quantized_tflite).write_bytes(quantized)

    def predict(
        self, *, pruned: bool, inputs: dict[str, str], outputs: str, update: Update
    ) -> None:
        """Run the float model, as given or after pruning, and write its outputs next to a stem.

        :func:`~edgepack.arrays.array_paths` names the files, by the names of the outputs.
        """
        model = self._current if pruned else self._given
        arrays = list(load_arrays(inputs).values())
        paths = array_paths(Path(outputs), [output.name for output in model.signature.outputs])
        with ExitStack() as stack:
            spools = [stack.enter_context(Spool(Path(path))) for path in paths.values()]
            runner = model.runner([array.shape[1:] for array in arrays])
            for batch in model.batches(runner, arrays, update):
                if not all(np.isfinite(array).all() for array in batch):
                    raise ModelError(
                        f"{model.path}: the float model gives NaN or infinity for these inputs;"
                        " check their scale"
                    )
                for spool, values in zip(spools, batch, strict=True):
                    spool.add(values)

    def _load_keras(self) -> KerasModel:
        loaded = load_model(self._source)
        assert isinstance(loaded, KerasModel)  # noqa: S101 (as it was before)
        return loaded

    def _prune_file(self, samples: dict[str, Any], wanted: Prune) -> tuple[TfliteFile, Pruning]:
        path = self._given.path
        if wanted.fine_tune is not None:
            raise ModelError(
                f"{path}: holds no Keras layers, so it cannot be trained: leave the training data"
                " out to prune it in one shot, or give the Keras model"
            )
        shapes = [array.shape[1:] for array in samples.values()]
        tflite = to_float_tflite(self._given, shapes).tflite
        pruned, pruning = prune_file(path, tflite, wanted)
        return TfliteFile(path, pruned, self._given.signature), pruning


def _prune_settings(fields: dict[str, Any]) -> Prune:
    fine_tune = fields["fine_tune"]
    return Prune(
        **fields
        | {
            "layers": tuple((pattern, sparsity) for pattern, sparsity in fields["layers"]),
            "n_of_m": fields["n_of_m"] and tuple(fields["n_of_m"]),
            "block": fields["block"] and tuple(fields["block"]),
            "fine_tune": fine_tune
            and FineTune(
                **fine_tune
                | {
                    "train": Path(fine_tune["train"]),
                    "schedule": Schedule(**fine_tune["schedule"]),
                    "checkpoints": fine_tune["checkpoints"] and Path(fine_tune["checkpoints"]),
                }
            ),
        }
    )
