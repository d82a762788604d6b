"""Random inputs have the model's types and shapes, are reproducible, and their size is limited."""

from __future__ import annotations

import numpy as np
import pytest

from edgepack.core.errors import ModelError
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.tflite.graph import Graph, Model, Operator, Tensor


def model(*inputs: tuple[str, tuple[int, ...]], operators: tuple[Operator, ...] = ()) -> Model:
    tensors = tuple(
        Tensor(name="x", shape=shape, dtype=dtype, quant=None, data=b"") for dtype, shape in inputs
    )
    graph = Graph(
        tensors=(*tensors, Tensor(name="t", shape=(7, 2), dtype="float32", quant=None, data=b"x")),
        operators=operators,
        inputs=tuple(range(len(inputs))),
        outputs=(),
    )
    return Model(subgraphs=(graph,))


def test_values_have_the_types_and_shapes_of_the_inputs_and_are_seeded() -> None:
    all_types = model(
        ("int8", (1, 50)), ("float32", (1, 50)), ("int32", (4, 2)), ("bool", ()), ("int16", (1, 9))
    )
    inputs = random_inputs(all_types, 20, 3, 1 << 20)
    assert list(inputs) == ["x#0", "x#1", "x#2", "x#3", "x#4"]
    int8, floats, indices, bools, int16 = inputs.values()
    assert (int8.dtype, int8.shape) == (np.int8, (20, 50))
    assert (int8.min(), int8.max()) == (-128, 127)
    assert (floats.dtype, floats.shape) == (np.float32, (20, 50))
    assert abs(floats.mean()) < 0.2
    assert abs(floats.std() - 1) < 0.2
    assert (indices.dtype, indices.shape, indices.max()) == (np.int32, (20, 4, 2), 1)
    assert (bools.dtype, bools.shape) == (np.bool_, (20,))
    assert (int16.dtype, int16.shape) == (np.int16, (20, 9))
    again = random_inputs(all_types, 20, 3, 1 << 20)
    other = random_inputs(all_types, 20, 4, 1 << 20)
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, again[name])
    assert (other["x#0"] != int8).any()


def test_indices_stay_within_the_table_that_they_index() -> None:
    gather = (
        Operator(name="CAST", version=1, inputs=(0,), outputs=(0,)),
        Operator(name="GATHER", version=1, inputs=(1, 0), outputs=()),
    )
    (indices,) = random_inputs(model(("int32", (1, 99)), operators=gather), 9, 0, 1 << 20).values()
    assert set(indices.reshape(-1).tolist()) == set(range(7))


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ModelError, match="take 1,907 MiB for 2 samples, and the memory limit is 1"):
        random_inputs(model(("int8", (1, 10**9))), 2, 0, 1 << 20)
    with pytest.raises(ModelError, match="input 'x' has the type string, for which no random"):
        random_inputs(model(("string", (1,))), 2, 0, 1 << 20)
    with pytest.raises(ModelError, match="the model has no inputs"):
        random_inputs(model(), 2, 0, 1 << 20)
