"""Random inputs for a .tflite file when the user provides no data, reproducible by their seed.

They show that a model runs, and that two interpreters agree, but nothing about its accuracy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.storage.arrays import Arrays
from edgepack.tflite.graph import Graph, Model
from edgepack.tflite.layer_names import number_duplicates

_MIB = 1 << 20
_PASS_THROUGH = {"CAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
"""Operators that pass indices on unchanged."""

_LOOKUPS = {"EMBEDDING_LOOKUP": (1, 0), "GATHER": (0, 1)}
"""Operators that look up rows: the positions of the table and of the indices in their inputs."""

_QUANTIZED = {"int8", "uint8", "int16"}
_INDICES = {"uint16", "int32", "uint32", "int64", "uint64"}
_FLOATS = {"float16", "float32", "float64"}


def random_inputs(model: Model, samples: int, seed: int, max_bytes: int) -> Arrays:
    """Draw samples for each input of a .tflite file, by name: arrays of shape (samples, ...).

    8-bit integers and int16 are taken as quantized: uniform over the range of the type. Other
    integers are taken as indices: uniform over the rows of the embedding that they index, or else
    0 or 1. Floats are standard normal. A batch dimension of 1 is omitted from the shape. Raises
    :class:`ModelError` for an unsupported data type, for a model without inputs, or if all samples
    together would take more than ``max_bytes``.
    """
    graph = model.main
    if not graph.inputs:
        raise ModelError("the model has no inputs: there is nothing to run it on")
    tensors = dict(
        zip(
            number_duplicates(tensor.name for tensor in graph.input_tensors),
            graph.input_tensors,
            strict=True,
        )
    )
    needed = samples * sum(tensor.value_bytes for tensor in tensors.values())
    if needed > max_bytes:
        raise ModelError(
            f"the inputs take {needed // _MIB:,} MiB for {samples} samples, and the memory limit is"
            f" {max_bytes // _MIB:,} MiB; give fewer samples, or raise the limit"
        )
    rows = _table_rows(graph)
    arrays: Arrays = {}
    for position, (name, tensor) in enumerate(tensors.items()):
        if tensor.dtype not in _QUANTIZED | _INDICES | _FLOATS | {"bool"}:
            raise ModelError(
                f"input {name!r} has the type {tensor.dtype}, for which no random values are"
                " drawn; give data"
            )
        shape = (samples, *tensor.sample_shape)
        random = np.random.default_rng([seed, position])
        arrays[name] = _draw(random, np.dtype(tensor.dtype), shape, rows[graph.inputs[position]])
    return arrays


def _draw(
    random: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...], rows: int
) -> NDArray[Any]:
    if dtype.name in _FLOATS:
        return random.standard_normal(shape, np.float32).astype(dtype, copy=False)
    if dtype.name == "bool":
        return random.integers(0, 2, shape, np.bool_)
    if dtype.name in _INDICES:
        return random.integers(0, rows, shape, dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _table_rows(graph: Graph) -> dict[int, int]:
    """Return the number of rows of the table that each input indexes; 2 if it indexes none."""
    rows = dict.fromkeys(graph.inputs, 2)
    source = {index: index for index in graph.inputs}
    for operator in graph.operators:
        if operator.name in _PASS_THROUGH and operator.inputs and operator.inputs[0] in source:
            source |= dict.fromkeys(operator.outputs, source[operator.inputs[0]])
        elif operator.name in _LOOKUPS and len(operator.inputs) > 1:
            table, indices = (operator.inputs[position] for position in _LOOKUPS[operator.name])
            if indices in source:
                rows[source[indices]] = max(1, next(iter(graph.tensors[table].shape), 1))
    return rows
