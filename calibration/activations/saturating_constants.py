"""Constants that only have to be low or high enough, clipped to what is enough.

A mask of -1e9 before a softmax, or padding with the lowest float before a max pooling, would make
the int8 scale so coarse that nothing else is left. Such a fill is clipped to what the operators
after it can tell apart (:mod:`edgepack.calibration.activations.saturation`), if the float model
then computes the same on the representative dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.instrument import activation_names
from edgepack.calibration.activations.ranges import Range, Ranges, shortest_float32
from edgepack.calibration.activations.saturation import (
    EVERYTHING,
    NOTHING,
    Bounds,
    Facts,
    find_bounds,
    find_facts,
)
from edgepack.tflite.constants import stored_values
from edgepack.tflite.graph import Graph
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

_SMALLEST_FILL = 100.0
"""The magnitude of the smallest fill in use; weights and scales of trained models are smaller."""

_FILL_FRACTION = 0.5
"""How much of a fill is left, at least, when something is added to it, such as the scores that a
mask is added to. So larger values are fills."""

_TOLERANCE = 1e-6
"""By how much outputs may change, as a fraction of the largest: eight roundings of float32."""

_WORTHWHILE = 0.5
"""Clipping a constant to more than this fraction of its magnitude gains less than one bit."""

_ORDINARY = Facts(low=-1.0, high=1.0, positive=1.0, row_high=0.0)
"""What is assumed of activations before any is observed."""

_Values = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FillLimits:
    """How far fills are clipped.

    ``constants`` has the range of each clipped constant, by name. ``notes`` say what was clipped,
    and what was left although it makes a scale coarse.
    """

    constants: Ranges = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_candidates(graph: Graph) -> dict[int, _Values]:
    """Return the constants, by index, that have values which may be fills, and may be clipped."""
    large = {
        index: values
        for index, values in _float_constants(graph).items()
        if (np.abs(values) >= _SMALLEST_FILL).any()
    }
    if not large:
        return {}
    assumed = dict.fromkeys(range(len(graph.tensors)), _ORDINARY)
    bounds = find_bounds(graph, assumed | _constant_facts(graph, smallest_fill(large)))
    return {
        index: values
        for index, values in large.items()
        for each in [bounds.get(index, NOTHING)]
        if each not in (NOTHING, EVERYTHING)
    }


def smallest_fill(candidates: Mapping[int, _Values]) -> float:
    """Return the magnitude from which on a value of the model comes from one of the candidates."""
    return _FILL_FRACTION * min(
        float(magnitudes[magnitudes >= _SMALLEST_FILL].min())
        for magnitudes in map(np.abs, candidates.values())
    )


def choose_limits(
    graph: Graph,
    candidates: Mapping[int, _Values],
    activations: Mapping[str, Facts],
    difference: Callable[[Ranges], float],
) -> FillLimits:
    """Clip the candidates as far as the outputs do not change.

    ``activations`` are the facts of the activations, by name. ``difference`` measures by how much
    the outputs change if constants are clipped, as a fraction of the largest value. Constants that
    change the outputs when they are clipped all at once are tried one after the other.
    """
    names = activation_names(graph, range(len(graph.tensors)))
    facts = {names[name]: each for name, each in activations.items()}
    facts |= _constant_facts(graph, smallest_fill(candidates))
    bounds = {
        index: each | Bounds(low=facts[index].low, high=facts[index].high)
        for index, each in find_bounds(graph, facts).items()
        if index in facts
    }
    proposed = {
        name: limit
        for name, index in names.items()
        if index in candidates and (limit := _limit(candidates[index], bounds[index]))
    }
    changes = dict.fromkeys(proposed, difference(proposed) if proposed else 0.0)
    accepted = proposed
    if max(changes.values(), default=0.0) > _TOLERANCE:
        accepted = {}
        for name, limit in proposed.items():
            changes[name] = difference(accepted | {name: limit})
            if changes[name] <= _TOLERANCE:
                accepted[name] = limit
    return FillLimits(
        constants=accepted,
        notes=tuple(
            _clipped_note(graph, names[name], limit, bounds[names[name]])
            if name in accepted
            else _left_note(graph, names[name], limit, changes[name])
            for name, limit in proposed.items()
        ),
    )


def limit_constants(float_tflite: bytes, limits: Mapping[str, Range]) -> bytes:
    """Clip constants of a float .tflite, by name, to ranges."""
    if not limits:
        return float_tflite
    rewrite = Rewrite(float_tflite)
    graph = read_tflite(float_tflite).main
    constants = _float_constants(graph)
    for name, index in activation_names(graph, range(len(graph.tensors))).items():
        if name in limits:
            clipped = np.clip(constants[index], limits[name].min, limits[name].max)
            rewrite.graph.tensors[index].buffer = rewrite.add_buffer(clipped.astype(np.float32))
    rewrite.drop_unused()
    return rewrite.to_bytes()


def recorded_limits(graph: Graph, constants: Ranges) -> FillLimits:
    """Return the limits of constants that a calibration.json records."""
    names = activation_names(graph, _float_constants(graph))
    return FillLimits(
        constants=constants,
        notes=tuple(
            f"{_clipped(graph, names[name], limit)}, as calibration.json says"
            for name, limit in constants.items()
        ),
    )


def _limit(values: _Values, bounds: Bounds) -> Range | None:
    """Return the range of a constant clipped to bounds; None if that gains nothing."""
    if not bounds.low <= bounds.high:
        return None
    clipped = np.clip(values, np.float32(bounds.low), np.float32(bounds.high))
    if not np.abs(clipped).max() <= _WORTHWHILE * np.abs(values).max():  # nor if it is NaN
        return None
    low, high = float(clipped.min()), float(clipped.max())
    return Range(min=shortest_float32(low), max=shortest_float32(high))


def _clipped_note(graph: Graph, index: int, limit: Range, bounds: Bounds) -> str:
    fill, clipped = _fill(graph, index, limit)
    tellers = " and ".join(sorted(bounds.low_by if fill < clipped else bounds.high_by))
    return (
        f"{_clipped(graph, index, limit)}: {tellers} cannot tell the two apart, and the larger one"
        " would make the scale coarse"
    )


def _left_note(graph: Graph, index: int, limit: Range, change: float) -> str:
    return (
        f"{_constant(graph, index)} is quantized as it is, which makes the scale coarse: clipped to"
        f" {_fill(graph, index, limit)[1]:.4g}, it changes outputs on the representative dataset by"
        f" {change:.2g} of the largest value"
    )


def _clipped(graph: Graph, index: int, limit: Range) -> str:
    clipped = _fill(graph, index, limit)[1]
    return f"{_constant(graph, index)} is {clipped:.4g} in the quantized model"


def _constant(graph: Graph, index: int) -> str:
    user = next(operator for operator in graph.operators if index in operator.inputs)
    layer = layer_names(graph)[user.outputs[0]]
    fill = _fill(graph, index, Range(min=0, max=0))[0]
    return f"the constant {fill:.4g} of {user.name} {layer!r}"


def _fill(graph: Graph, index: int, limit: Range) -> tuple[float, float]:
    """Return the value of a constant that is clipped most, and what it is clipped to."""
    values = _float_constants(graph)[index]
    fill = float(values.flat[np.abs(values).argmax()])
    return fill, min(max(fill, limit.min), limit.max)


def _float_constants(graph: Graph) -> dict[int, _Values]:
    """Return the float32 constants, by index; those that store only some values are left out."""
    return {
        index: stored_values(tensor).reshape(tensor.shape)
        for index, tensor in enumerate(graph.tensors)
        if tensor.is_constant and tensor.dtype == "float32" and not tensor.is_sparse
    }


def _constant_facts(graph: Graph, fill: float) -> dict[int, Facts]:
    return {index: find_facts(values, fill) for index, values in _float_constants(graph).items()}
