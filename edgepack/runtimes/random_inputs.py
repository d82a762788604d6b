"""Inputs for a .tflite file when the user gives none: random, but the same for the same seed.

They show that a model runs, and runs alike on two interpreters; they say nothing of its accuracy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.storage.arrays import Arrays
from edgepack.tflite.graph import Graph, Model
from edgepack.tflite.layer_names import distinct

_MIB = 1 << 20
_MOVES = {"CAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
"""Operators that hand indices on as they are."""

_TABLES = {"EMBEDDING_LOOKUP": (1, 0), "GATHER": (0, 1)}
"""Operators that look rows up: which input is the table, and which holds the indices."""

_WHOLE = {"int8", "uint8", "int16"}
_INDICES = {"uint16", "int32", "uint32", "int64", "uint64"}
_REAL = {"float16", "float32", "float64"}


def random_inputs(model: Model, samples: int, seed: int, max_bytes: int) -> Arrays:
    """Draw samples for each input of a .tflite file, by its name: arrays (samples, ...).

    Integers of 8 bits, and int16, are quantized: uniform over the type's range. Wider ones are
    indices: of the embedding that takes them, or else 0 or 1. Float is standard normal. A batch
    of 1 is left out of the shape. Raises :class:`ModelError` for a type that has no random values
    here, for a model that takes nothing, or if all samples together would take more than
    ``max_bytes``.
    """
    graph = model.main
    if not graph.inputs:
        raise ModelError("the model takes no inputs: there is nothing to run it on")
    tensors = dict(
        zip(
            distinct(tensor.name for tensor in graph.input_tensors),
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
    rows = _rows(graph)
    made: Arrays = {}
    for place, (name, tensor) in enumerate(tensors.items()):
        if tensor.dtype not in _WHOLE | _INDICES | _REAL | {"bool"}:
            raise ModelError(
                f"input {name!r} is of type {tensor.dtype}, which has no random values; give data"
            )
        shape = (samples, *tensor.sample_shape)
        random = np.random.default_rng([seed, place])
        made[name] = _draw(random, np.dtype(tensor.dtype), shape, rows[graph.inputs[place]])
    return made


def _draw(
    random: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...], rows: int
) -> NDArray[Any]:
    if dtype.name in _REAL:
        return random.standard_normal(shape, np.float32).astype(dtype, copy=False)
    if dtype.name == "bool":
        return random.integers(0, 2, shape, np.bool_)
    if dtype.name in _INDICES:
        return random.integers(0, rows, shape, dtype)
    span = np.iinfo(dtype)
    return random.integers(span.min, span.max, shape, dtype, endpoint=True)


def _rows(graph: Graph) -> dict[int, int]:
    """Find below which number each input must stay: the rows of the table that it indexes."""
    rows = dict.fromkeys(graph.inputs, 2)
    source = {index: index for index in graph.inputs}
    for operator in graph.operators:
        if operator.name in _MOVES and operator.inputs and operator.inputs[0] in source:
            source |= dict.fromkeys(operator.outputs, source[operator.inputs[0]])
        elif operator.name in _TABLES and len(operator.inputs) > 1:
            table, indices = (operator.inputs[place] for place in _TABLES[operator.name])
            if indices in source:
                rows[source[indices]] = max(1, next(iter(graph.tensors[table].shape), 1))
    return rows
