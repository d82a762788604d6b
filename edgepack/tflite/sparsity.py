"""Sparsity: the fraction of weights that are zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.constants import stored_values
from edgepack.tflite.converter_names import split_fused_name
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.layer_names import layer_names


@dataclass(frozen=True, kw_only=True)
class Sparsity:
    """The fraction of zeros among all weights, and by layer."""

    overall: float
    layers: dict[str, float]


def measure_sparsity(weights: Mapping[str, NDArray[Any]]) -> Sparsity:
    """Measure the sparsity of weights, arrays by the name of their layer.

    >>> measure_sparsity({"a": np.array([0, 1]), "b": np.array([0, 0, 0, 2, 3, 4])}).layers
    {'a': 0.5, 'b': 0.5}
    """
    return _of({name: (int((array == 0).sum()), array.size) for name, array in weights.items()})


def _of(sizes: Mapping[str, tuple[int, int]]) -> Sparsity:
    """Combine the numbers of zeros and of weights of each layer."""
    total = sum(size for _, size in sizes.values())
    return Sparsity(
        overall=sum(zero for zero, _ in sizes.values()) / total if total else 0.0,
        layers={name: zero / size for name, (zero, size) in sizes.items()},
    )


WEIGHT_INPUTS = {
    "CONV_2D": (1,),
    "CONV_3D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "TRANSPOSE_CONV": (1,),
    "FULLY_CONNECTED": (1,),
    "BATCH_MATMUL": (0, 1),
    "GATHER": (0,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tuple(range(1, 9)),
}
"""By operator, the inputs that are weights if they are constants."""

_DTYPES = ("int4", "int8", "float16", "float32")


@dataclass(frozen=True, kw_only=True)
class WeightTensor:
    """A constant that is a weight of an operator in a .tflite file; ``layer`` is a name."""

    tensor: Tensor
    operator: str
    layer: str


def weight_tensors(model: Model) -> dict[str, WeightTensor]:
    """Return the weights of a .tflite file by the names of their tensors.

    float16 weights are found through the DEQUANTIZE that widens them.
    """
    weights: dict[str, WeightTensor] = {}
    for graph in model.subgraphs:
        widened = {op.outputs[0]: op.inputs[0] for op in graph.operators if op.name == "DEQUANTIZE"}
        layers = layer_names(graph)
        readers = {
            operator.inputs[position]: operator
            for operator in graph.operators
            for position in WEIGHT_INPUTS.get(operator.name, ())
            if position < len(operator.inputs) and operator.inputs[position] >= 0
        }
        for index, operator in readers.items():
            tensor = graph.tensors[widened.get(index, index)]
            if tensor.is_constant and tensor.dtype in _DTYPES:
                name = split_fused_name(tensor.name)[0]
                name = f"{name}#{index}" if name in weights else name
                layer = layers[operator.outputs[0]] if operator.outputs else name
                weights[name] = WeightTensor(tensor=tensor, operator=operator.name, layer=layer)
    return weights


def weight_sparsity(model: Model) -> Sparsity:
    """Measure the sparsity of a .tflite file: weights that represent zero, by layer."""
    sizes: dict[str, tuple[int, int]] = {}
    for weight in weight_tensors(model).values():
        zero_count, size = sizes.get(weight.layer, (0, 0))
        shape = weight.tensor.shape
        sizes[weight.layer] = (zero_count + count_zeros(weight.tensor), size + prod(shape))
    return _of(sizes)


def has_countable_weights(tensor: Tensor) -> bool:
    """Whether a tensor is a constant of a type whose zeros :func:`count_zeros` can count."""
    return tensor.is_constant and tensor.dtype in (*_DTYPES, "uint8", "int16", "int32")


def count_zeros(tensor: Tensor) -> int:
    """Return how many values of a constant represent zero, stored or omitted as sparse.

    >>> count_zeros(Tensor(name="x", shape=(2, 3), dtype="int8", quant=None, data=bytes(5) + b"1"))
    5
    """
    values = stored_values(tensor)
    zero_points = tensor.quant.zero_point if tensor.quant and values.dtype.kind in "iu" else ()
    zero = next(iter(zero_points), 0)  # the same for all channels
    return max(0, prod(tensor.shape) - int(np.count_nonzero(values != zero)))
