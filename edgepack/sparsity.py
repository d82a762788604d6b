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


def int8_sparsity(model: Model) -> Sparsity:
    """Count the zeros among the int8 weights of a .tflite file, by the weights' tensor names."""
    weights: dict[str, NDArray[Any]] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.is_constant and tensor.dtype == "int8" and len(tensor.shape) > 1:
                name = tensor.name.split(";")[0]
                if name in weights:
                    name = f"{name}#{len(weights)}"
                weights[name] = np.frombuffer(tensor.data, np.int8)
    return measure(weights)
