"""Random inputs: of the model's types and shapes, the same for the same seed, never too many."""

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


def test_values_are_of_the_inputs_types_and_shapes_and_seeded() -> None:
    wanted = model(
        ("int8", (1, 50)), ("float32", (1, 50)), ("int32", (4, 2)), ("bool", ()), ("int16", (1, 9))
    )
    made = random_inputs(wanted, 20, 3, 1 << 20)
    assert list(made) == ["x#0", "x#1", "x#2", "x#3", "x#4"]
    integers, real, indices, truth, wide = made.values()
    assert (integers.dtype, integers.shape) == (np.int8, (20, 50))
    assert (integers.min(), integers.max()) == (-128, 127)
    assert (real.dtype, real.shape) == (np.float32, (20, 50))
    assert abs(real.mean()) < 0.2
    assert abs(real.std() - 1) < 0.2
    assert (indices.dtype, indices.shape, indices.max()) == (np.int32, (20, 4, 2), 1)
    assert (truth.dtype, truth.shape) == (np.bool_, (20,))
    assert (wide.dtype, wide.shape) == (np.int16, (20, 9))
    again = random_inputs(wanted, 20, 3, 1 << 20)
    other = random_inputs(wanted, 20, 4, 1 << 20)
    for name, array in made.items():
        np.testing.assert_array_equal(array, again[name])
    assert (other["x#0"] != integers).any()


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
    with pytest.raises(ModelError, match="input 'x' is of type string, which has no random values"):
        random_inputs(model(("string", (1,))), 2, 0, 1 << 20)
    with pytest.raises(ModelError, match="the model takes no inputs"):
        random_inputs(model(), 2, 0, 1 << 20)
