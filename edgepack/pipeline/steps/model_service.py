"""The service of the TensorFlow worker process: one model, from loading to quantization."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from edgepack.calibration.activations.tensorflow_calibrator import calibrate_fused
from edgepack.calibration.datasets.content_order import content_order
from edgepack.calibration.lint import ModelLint
from edgepack.calibration.lint.model_rules import lint_training
from edgepack.compression import find_technique
from edgepack.compression.technique import CompressionTask, ModelForm, StepRecord, Technique
from edgepack.compression.training.strategy import create_strategy as start_strategy
from edgepack.compression.training.task import Training
from edgepack.compression.weights import kernel_sparsity
from edgepack.config.compression_step import FineTune
from edgepack.config.model_source import ModelSource
from edgepack.config.quantization import Quantization
from edgepack.conversion.to_tflite import to_float_tflite
from edgepack.core.codec import restore
from edgepack.core.errors import ModelError
from edgepack.core.progress import Update
from edgepack.core.signature import LoadedModelInfo
from edgepack.load import load_model
from edgepack.load.formats import read_compile_settings
from edgepack.load.keras_model import KerasModel
from edgepack.load.loaded_model import FloatModel, require_finite_outputs
from edgepack.load.tensorflow_environment import environment_variables
from edgepack.load.tflite_file import TfliteFile
from edgepack.metrics import Loss
from edgepack.quantization.scheme import quantize_constants, quantize_file
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import Arrays, array_paths, load_arrays
from edgepack.tflite.sparsity import Sparsity
from edgepack.tflite.split_outputs import OutputSlice, split_outputs


class ModelSession:
    """Holds a model as it was loaded, and as it is after each compression step.

    Arguments and results of the methods pass through JSON (:mod:`edgepack.core.codec`); ``update``
    receives their progress. Arrays are passed as paths of .npy files by name, in the order of the
    model's inputs or outputs.
    """

    _models: list[FloatModel]
    """The model as loaded, then the result of each step; none of them is modified."""
    _copy: Callable[[], FloatModel]
    """Returns a fresh copy of the current model."""
    _unrolled: tuple[str, ...] = ()
    _not_compared: Mapping[str, str] = {}
    """What conversions reported, also those for a step that needed a .tflite file."""

    _slices: tuple[OutputSlice, ...] = ()
    """The outputs that replace the model's own; empty if these were not split."""

    def __init__(self, *, source: ModelSource, imports_tensorflow: bool = True) -> None:
        self._source = source
        os.environ.update(environment_variables(self._source))
        if imports_tensorflow:
            import tensorflow  # noqa: F401 (at once, while the parent reads the data)

    @property
    def _loaded(self) -> FloatModel:
        return self._models[0]

    @property
    def _current(self) -> FloatModel:
        return self._models[-1]

    def load(self, *, strategy: str | None, update: Update) -> LoadedModelInfo:
        """Load the model.

        ``strategy`` is the distribution strategy of a later training; it must be started before
        TensorFlow does anything else, so that the hosts can connect.
        """
        update(0, 1)
        if strategy:
            start_strategy(strategy)
        self._models = [load_model(self._source)]
        self._copy = partial(load_model, self._source)
        return LoadedModelInfo(
            signature=self._loaded.signature,
            runtime=self._loaded.runtime,
            notes=tuple(_dtype_notes(self._loaded)),
        )

    def lint(
        self,
        *,
        role: str,
        inputs: dict[str, str],
        labels: dict[str, str],
        classes: list[str],
        update: Update,
    ) -> ModelLint:
        """Check samples and their class numbers against what the model reveals of its training."""
        update(0, 1)
        findings, witnesses = lint_training(
            self._loaded, role, load_arrays(inputs), load_arrays(labels), tuple(classes)
        )
        return ModelLint(findings=tuple(findings), witnesses=tuple(witnesses))

    def compress(
        self,
        *,
        technique: str,
        settings: dict[str, Any],
        samples: dict[str, str],
        training: dict[str, Any] | None,
        update: Update,
    ) -> StepRecord:
        """Apply a compression technique to the current model.

        ``settings`` holds the fields of the technique's settings, ``training`` those of
        :class:`~edgepack.compression.training.task.Training`, except ``compiled``, which comes from
        the model file. Returns the technique's record. Raises :class:`ModelError` for a model that
        the technique does not support.
        """
        chosen = find_technique(technique)
        arrays = load_arrays(samples)
        model, copy = self._in_form_for(chosen, arrays)
        task = CompressionTask(
            model=model,
            copy=copy,
            samples=arrays,
            training=self._training(training) if training else None,
            update=update,
        )
        result = chosen.apply(task, restore(chosen.settings, settings))
        self._models.append(result.model)
        self._copy = result.copy
        return result.record

    def sparsity(self, *, update: Update) -> Sparsity | None:
        """Measure the fraction of zeros per layer of the current model; None if it is not Keras."""
        update(0, 1)
        if not isinstance(self._current, KerasModel):
            return None
        return kernel_sparsity(self._current)

    def convert(
        self, *, samples: dict[str, str], float_tflite: str, update: Update
    ) -> dict[str, Any]:
        """Write the current model as a float .tflite, held against the model on some samples.

        Returns the names of the ``unrolled`` layers, and why outputs were ``not_compared``, as
        :class:`~edgepack.conversion.to_tflite.Converted` has them.
        """
        update(0, 1)
        Path(float_tflite).write_bytes(self._to_tflite(load_arrays(samples)))
        return {"unrolled": self._unrolled, "not_compared": dict(self._not_compared)}

    def split_outputs(
        self, *, float_tflite: str, split_tflite: str, update: Update
    ) -> dict[str, Any]:
        """Write a float .tflite with the parts of joined outputs as its outputs.

        Later predictions are those of the same outputs. Returns ``outputs``, and the ``obstacles``
        by name, as :class:`~edgepack.tflite.split_outputs.SplitOutputs` has them.
        """
        update(0, 1)
        names = [output.name for output in self._loaded.signature.outputs]
        split = split_outputs(Path(float_tflite).read_bytes(), names)
        Path(split_tflite).write_bytes(split.tflite)
        self._slices = split.outputs
        return {"outputs": split.outputs, "obstacles": split.obstacles}

    def calibrate_fused(
        self,
        *,
        float_tflite: str,
        representative: dict[str, str],
        seed: int,
        calibrated_tflite: str,
        update: Update,
    ) -> None:
        """Write a float .tflite with activation ranges, for a model with fused recurrent layers."""
        samples = load_arrays(representative)
        calibrated = calibrate_fused(
            Path(float_tflite).read_bytes(),
            list(samples.values()),
            update,
            content_order(samples, seed).tolist(),
        )
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
        """Quantize a float .tflite.

        ``calibrated_tflite`` contains the activation ranges, if the scheme needs them.
        """
        update(0, 1)
        if settings.needs_ranges:
            quantized = quantize_file(Path(calibrated_tflite).read_bytes(), settings)
        else:
            quantized = quantize_constants(Path(float_tflite).read_bytes(), settings)
        Path(quantized_tflite).write_bytes(quantized)

    def predict(
        self, *, steps: int = 0, inputs: dict[str, str], outputs: str, update: Update
    ) -> None:
        """Run the float model as it is after ``steps`` compression steps, and write its outputs.

        The files are :func:`~edgepack.storage.arrays.array_paths` of the stem ``outputs`` and the
        output names, those of its parts for an output that was split. Raises :class:`ModelError`
        for outputs that are NaN or infinite.
        """
        model = self._models[steps]
        arrays = list(load_arrays(inputs).values())
        named = self._slices or model.signature.outputs
        paths = array_paths(Path(outputs), [output.name for output in named])
        with ExitStack() as stack:
            writers = [stack.enter_context(NpyWriter(Path(path))) for path in paths.values()]
            runner = model.runner([array.shape[1:] for array in arrays])
            for batch in model.batches(runner, arrays, update):
                require_finite_outputs(model.path, batch)
                if self._slices:
                    batch = [batch[each.source][each.index] for each in self._slices]  # noqa: PLW2901
                for writer, values in zip(writers, batch, strict=True):
                    writer.add(values)

    def _in_form_for(
        self, technique: Technique, samples: Arrays
    ) -> tuple[FloatModel, Callable[[], FloatModel]]:
        """Return the current model in a form that a technique supports, and a function to copy it.

        Raises :class:`ModelError` if it cannot be converted to such a form.
        """
        if not _forms(self._current).isdisjoint(technique.forms):
            return self._current, self._copy
        if ModelForm.TFLITE not in technique.forms:
            forms = " or ".join(sorted(form.value for form in technique.forms))
            state = "is none" if len(self._models) == 1 else "is none after the step before"
            raise ModelError(
                f"{self._current.path}: {technique.name} needs {forms}, and the model {state}; give"
                " another model, or leave the step out"
            )
        file = TfliteFile(self._current.path, self._to_tflite(samples), self._current.signature)
        return file, lambda: file

    def _to_tflite(self, samples: Arrays) -> bytes:
        converted = to_float_tflite(self._current, list(samples.values()))
        self._unrolled += converted.unrolled
        self._not_compared = {**self._not_compared, **converted.not_compared}
        return converted.tflite

    def _training(self, arguments: dict[str, Any]) -> Training:
        return Training(
            source=arguments["source"],
            inputs=load_arrays(arguments["inputs"]),
            labels=load_arrays(arguments["labels"]),
            losses={name: Loss(loss) for name, loss in arguments["losses"].items()},
            settings=restore(FineTune, arguments["settings"]),
            compiled=read_compile_settings(self._source.path),
            fingerprint=arguments["fingerprint"],
            checkpoint=arguments["checkpoint"] and Path(arguments["checkpoint"]),
            resume=arguments["resume"],
        )


def _dtype_notes(model: FloatModel) -> Iterator[str]:
    if isinstance(model, KerasModel) and model.replaced_dtypes:
        yield (
            "the float model is computed in float32, as in its .tflite, not in"
            f" {' and '.join(model.replaced_dtypes)} as it was saved: its outputs are more exact"
        )


def _forms(model: FloatModel) -> set[ModelForm]:
    if isinstance(model, TfliteFile):
        return {ModelForm.TFLITE}
    if not isinstance(model, KerasModel):
        return set()
    return {ModelForm.KERAS, ModelForm.GRAPH} if model.is_graph else {ModelForm.KERAS}
