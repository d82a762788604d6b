"""Test vectors of firmware: samples, and the model's outputs for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.project_file import ProjectFile
from edgepack.config.shared_settings import DEFAULT_SEED
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import Update
from edgepack.emit.tflm.firmware_model import GoldenVector
from edgepack.load.tflite_file import name_file_in_errors
from edgepack.pipeline.validation.read_inputs import ParsedFile
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.storage.arrays import Arrays
from edgepack.tflite.graph import Model

_MIB = 1 << 20
_MAX_BYTES = 16 * _MIB
"""The most that all vectors of a model may take; more than the flash of a microcontroller."""


def vector_inputs(
    file: ParsedFile,
    data: Any,
    project_file: ProjectFile,
    count: int,
    work: Path,
    update: Update,
) -> tuple[Arrays, tuple[str, ...]]:
    """Choose ``count`` samples of ``data``; random inputs if it is None.

    Returns arrays (samples, ...) by input name, in the dtypes of the model's inputs, and the names
    of the classes, if the data has any. Raises :class:`ConfigError` for vectors of more than 16
    MiB.
    """
    main = file.model.main
    vector_bytes = sum(t.value_bytes for t in (*main.input_tensors, *main.output_tensors))
    if count * vector_bytes > _MAX_BYTES:
        max_count, limit = _MAX_BYTES // vector_bytes, f"more than {_MAX_BYTES // _MIB} MiB"
        raise ConfigError(
            f"{file.path}: {count} test vectors take {count * vector_bytes / _MIB:,.0f} MiB,"
            f" {limit}; give at most --vectors {max_count}"
            if max_count
            else f"{file.path}: a test vector, one input with its output, takes"
            f" {vector_bytes / _MIB:,.0f} MiB, {limit}: no microcontroller holds it; make the"
            " model's inputs smaller"
        )
    if data is None:
        with name_file_in_errors(file.path):
            return random_inputs(file.model, count, DEFAULT_SEED, _MAX_BYTES), ()
    with dataset_reader([data], project_file) as reader:
        stored = reader.read(data, file.signature, work / "test", samples=count, update=update)
    inputs = quantize_inputs(stored.dataset().inputs, file.model.main.input_tensors, work)
    return inputs, stored.classes


def make_test_vectors(model: Model, inputs: Arrays, outputs: Arrays) -> tuple[GoldenVector, ...]:
    """Pair each sample with TFLM's outputs for it, in the shapes of the model's tensors.

    ``inputs`` and ``outputs`` are (samples, ...), by name. Raises :class:`ModelError` for outputs
    that overflow.
    """
    for name, array in outputs.items():
        # Runs clip to float32's range, where the device would output infinity.
        if array.dtype.kind == "f" and (np.abs(array) >= np.finfo(array.dtype).max).any():
            raise ModelError(
                f"output {name!r} overflows to infinity on the test vectors, which C cannot write"
                " as a constant; give --test samples whose outputs are finite"
            )
    shaped = [
        [
            array.reshape(-1, *tensor.shape)
            for array, tensor in zip(arrays.values(), tensors, strict=True)
        ]
        for arrays, tensors in (
            (inputs, model.main.input_tensors),
            (outputs, model.main.output_tensors),
        )
    ]
    return tuple(
        GoldenVector(inputs=sample, outputs=result)
        for sample, result in zip(
            zip(*shaped[0], strict=True), zip(*shaped[1], strict=True), strict=True
        )
    )
