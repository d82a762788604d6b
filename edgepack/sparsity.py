"""Sparsity: the fraction of weights that are zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.types import Model


@dataclass(frozen=True, kw_only=True)
class Sparsity:
    """Fraction of zeros over all weights, and by layer."""

    overall: float
    layers: dict[str, float]


def measure(weights: Mapping[str, NDArray[Any]]) -> Sparsity:
    """Count the zeros of the weights of each layer.

    >>> measure({"a": np.array([0, 1]), "b": np.array([0, 0, 0, 2, 3, 4])}).layers
    {'a': 0.5, 'b': 0.5}
    """
    sizes = {name: (int((array == 0).sum()), array.size) for name, array in weights.items()}
    zeros = sum(zero for zero, _ in sizes.values())
    total = sum(size for _, size in sizes.values())
    return Sparsity(
        overall=zeros / total if total else 0.0,
        layers={name: zero / size for name, (zero, size) in sizes.items()},
    )


_WEIGHT_INPUTS = {
    "CONV_2D": (1,),
    "CONV_3D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "TRANSPOSE_CONV": (1,),
    "FULLY_CONNECTED": (1,),
    "BATCH_MATMUL": (0, 1),
    "GATHER": (0,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tuple(range(1, 9)),
}
"""Which inputs of an operator are weights, where the file holds them."""


def int8_sparsity(model: Model) -> Sparsity:
    """Count the weights of a .tflite file that mean zero, by the weights' tensor names."""
    weights: dict[str, NDArray[Any]] = {}
    for graph in model.subgraphs:
        found = {
            operator.inputs[position]: graph.tensors[operator.inputs[position]]
            for operator in graph.operators
            for position in _WEIGHT_INPUTS.get(operator.name, ())
            if position < len(operator.inputs) and operator.inputs[position] >= 0
        }
        for index, tensor in found.items():
            if tensor.is_constant and tensor.dtype == "int8" and tensor.quant:
                name = tensor.name.split(";")[0]
                name = f"{name}#{index}" if name in weights else name
                zero_point = tensor.quant.zero_point[0]  # of weights, the same for every channel
                weights[name] = np.frombuffer(tensor.data, np.int8).astype(np.int16) - zero_point
    return measure(weights)
