"""Whether the weights of a .tflite file are those of a float file, up to rounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.layer_errors.match_layers import dequantized_constant
from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Model
from edgepack.tflite.sparsity import WeightTensor, weight_tensors

Array = NDArray[Any]

_MIN_VALUES = 16
"""Fewer weights may resemble those of any model."""

_MAX_BEYOND = 0.05
"""The fraction of weights that may be off by more than a step: quantizers round in many ways."""

_MAX_RESIDUAL = 0.5
"""The share of their power that weights may have in another direction, for a cosine of 0.7.

That of n unrelated weights is 1 - 1/n on average.
"""

_LITTLE_RESIDUAL = 1e-3
"""The share that does not matter: 30 dB, about as much as rounding to seven bits adds."""

_MIN_CHANNEL = 8
"""Channels of fewer weights are judged together: in so few, any two resemble each other."""

_MAX_VALUES = 1 << 16
"""Of larger tensors, only some channels are judged: enough to tell, and quick."""

_LARGEST_INT4 = 7

_FLOAT_STEP = 2.0**-9
"""The step of float weights in relation to their value: two of float16."""


class Likeness(IntEnum):
    """How the weights of a layer relate to the most similar ones of a float model, best first."""

    SAME = 0
    """They are equal up to rounding, or to less than rounding usually costs."""
    PRUNED = 1
    """Those that are not zero are equal up to rounding."""
    CHANGED = 2
    """Those that are not zero point in the same direction, up to a factor for each channel."""
    OTHER = 3
    """They are unlike all of the float model's weights of their shape."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weights:
    """Weights to judge, real values of shape (channels, values of a channel).

    ``shape`` is that of the whole tensor, of which some channels are judged if it is large.
    ``steps`` are the distances of neighboring values, None for floats; ``is_clipped`` is whether a
    larger weight would be stored as the same number.
    """

    layer: str
    shape: tuple[int, ...]
    values: Array
    steps: Array | None
    is_clipped: NDArray[np.bool_]


def match_weights(source: Model, model: Model) -> dict[str, Likeness]:
    """Look for the weights of a file among those of a float file; returns the likeness by layer.

    Layers are not matched by their names or order, which other converters choose differently. A
    layer whose weights have a shape that the float file lacks counts only if the two files have
    different numbers of weights: another converter may have split or joined them.
    """
    sources, weights = (list(_readable(each)) for each in (source, model))
    is_reshaped = _total(sources) == _total(weights)
    layers: dict[str, Likeness] = {}
    for each in weights:
        candidates = [
            other.values
            for other in sources
            if other.shape == each.shape and other.values.shape == each.values.shape
        ]
        if not candidates and is_reshaped:
            continue
        best = min((_likeness(each, other) for other in candidates), default=Likeness.OTHER)
        layers[each.layer] = max(best, layers.get(each.layer, Likeness.SAME))
    return layers


def _readable(model: Model) -> Iterator[_Weights]:
    """Yield the weights that can be judged: stored in full, and neither few nor constant."""
    for each in weight_tensors(model).values():
        tensor = each.tensor
        if tensor.is_sparse or tensor.is_blockwise or prod(tensor.shape) < _MIN_VALUES:
            continue
        stored = stored_values(tensor)
        if stored.size == prod(tensor.shape) and stored.min() != stored.max():
            yield _weights(each, stored.reshape(tensor.shape))


def _weights(weight: WeightTensor, stored: Array) -> _Weights:
    tensor = weight.tensor
    channel_axis = 3 if weight.operator == "DEPTHWISE_CONV_2D" else 0
    every = -(-stored.size // _MAX_VALUES)

    def judged(array: Array) -> Array:
        channels = np.moveaxis(array, channel_axis, 0)[::every]
        return channels.reshape(len(channels), -1)

    steps = None
    if tensor.quant is not None:
        shape = [1] * stored.ndim
        if tensor.quant.axis is not None:
            shape[tensor.quant.axis] = -1
        steps = judged(np.broadcast_to(np.reshape(tensor.quant.scale, shape), stored.shape))
    return _Weights(
        layer=weight.layer,
        shape=tensor.shape,
        values=judged(dequantized_constant(tensor)).astype(np.float64),
        steps=steps,
        # 16 levels are so few that quantizers clip the largest weights.
        is_clipped=judged(np.abs(stored) >= _LARGEST_INT4)
        if tensor.dtype == "int4"
        else np.zeros(1, np.bool_),
    )


def _total(weights: Iterable[_Weights]) -> int:
    return sum(prod(each.shape) for each in weights)


def _likeness(weights: _Weights, source: Array) -> Likeness:
    """Compare weights with those of a float model, of the same shape.

    A factor for each channel makes no difference: a converter that folds batch normalization in
    another order, or a quantizer that balances channels, scales them.
    """
    values = weights.values
    is_kept = values != 0
    if not is_kept.any():
        return Likeness.SAME
    scaled = source * _factors(values, np.where(is_kept, source, 0))
    is_beyond = _is_beyond_rounding(weights, source) & _is_beyond_rounding(weights, scaled)
    residual = 1 - float((values * scaled).sum() / np.square(values).sum())
    if is_beyond[is_kept].mean() > _MAX_BEYOND and residual > _LITTLE_RESIDUAL:
        return Likeness.CHANGED if residual <= _MAX_RESIDUAL else Likeness.OTHER
    is_pruned = (is_beyond & ~is_kept).mean() > _MAX_BEYOND
    return Likeness.PRUNED if is_pruned else Likeness.SAME


def _factors(values: Array, source: Array) -> Array:
    """Return the factors, from 0, with which the channels of ``source`` fit ``values`` best.

    They are those of the least squared error.
    """
    axis = 1 if values.shape[1] >= _MIN_CHANNEL else None
    products, powers = ((each * source).sum(axis=axis, keepdims=True) for each in (values, source))
    factors = np.divide(products, powers, out=np.zeros_like(powers), where=powers > 0)
    return np.asarray(np.maximum(factors, 0))


def _is_beyond_rounding(weights: _Weights, source: Array) -> NDArray[np.bool_]:
    """Return which weights differ by more than a step, and were not clipped to the range."""
    values, steps = weights.values, weights.steps
    if steps is None:
        steps = _FLOAT_STEP * np.maximum(np.abs(source), np.abs(source).max() * _FLOAT_STEP)
    is_clipped = weights.is_clipped & (values * source > 0) & (np.abs(source) > np.abs(values))
    return np.asarray((np.abs(values - source) > steps) & ~is_clipped)
