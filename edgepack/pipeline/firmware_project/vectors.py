"""Test vectors of firmware: the samples that a model runs on, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.export import DEFAULT_SEED
from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import Update
from edgepack.emit.c.firmware_model import Vector
from edgepack.load.tflite_file import of_file
from edgepack.pipeline.validation.read_inputs import ValidatedFile
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.storage.arrays import Arrays
from edgepack.tflite.graph import Model

_MIB = 1 << 20
_MAX_BYTES = 16 * _MIB
"""All vectors of a model take no more, which is more than the flash of a microcontroller."""


def vector_inputs(
    file: ValidatedFile,
    data: Any,
    project_file: ProjectFile,
    count: int,
    work: Path,
    update: Update,
) -> Arrays:
    """Choose ``count`` samples of ``data``, as the model takes them; random ones if it is None.

    Raises :class:`ConfigError` for more than a microcontroller holds.
    """
    main = file.model.main
    each = sum(t.value_bytes for t in (*main.input_tensors, *main.output_tensors))
    if count * each > _MAX_BYTES:
        most, limit = _MAX_BYTES // each, f"more than {_MAX_BYTES // _MIB} MiB"
        raise ConfigError(
            f"{file.path}: {count} test vectors take {count * each / _MIB:,.0f} MiB, {limit};"
            f" give at most --vectors {most}"
            if most
            else f"{file.path}: a test vector, one input with its output, takes"
            f" {each / _MIB:,.0f} MiB, {limit}: no microcontroller holds it; make the model's"
            " inputs smaller"
        )
    if data is None:
        with of_file(file.path):
            return random_inputs(file.model, count, DEFAULT_SEED, _MAX_BYTES)
    with dataset_reader([data], project_file) as reading:
        spooled = reading.read(data, file.signature, work / "test", samples=count, update=update)
    return quantize_inputs(spooled.dataset().inputs, file.model.main.input_tensors, work)


def test_vectors(model: Model, inputs: Arrays, outputs: Arrays) -> tuple[Vector, ...]:
    """Pair each sample with what TFLM makes of it, in the shapes of the model's tensors.

    Raises :class:`ModelError` for outputs that overflow.
    """
    for name, array in outputs.items():
        # A run gives float32's ends for what is beyond them: the device would give infinity.
        if array.dtype.kind == "f" and (np.abs(array) >= np.finfo(array.dtype).max).any():
            raise ModelError(
                f"output {name!r} overflows to infinity on the test vectors, which C has no"
                " constants for; give --test samples of which the outputs are finite"
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
        Vector(inputs=given, outputs=made)
        for given, made in zip(
            zip(*shaped[0], strict=True), zip(*shaped[1], strict=True), strict=True
        )
    )
