"""Where the ranges of layers come from, on which the causes of their errors depend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgepack.calibration.activations.instrument import activation_names
from edgepack.calibration.activations.ranges import Calibration
from edgepack.calibration.activations.scale_limits import widening_operators
from edgepack.calibration.activations.shared_scale import clipped_activations, sharing_groups
from edgepack.layer_errors.result import Range
from edgepack.tflite.graph import Graph, Operator
from edgepack.tflite.layer_names import layer_names


@dataclass(frozen=True, kw_only=True)
class RangeOrigin:
    """Where the range of a layer comes from.

    ``asked`` is the range that the quantizer was asked for, ``observed`` the smallest and the
    largest value in the calibration, None where nothing was observed. ``shares_with`` is the layer
    of the largest values among those that share its scale, if that is another.
    ``no_finer_than`` says for what the range was widened, None if it was not; ``clipped_by`` is the
    MINIMUM or MAXIMUM, the only reader, that clips the values.
    """

    asked: Range
    observed: Range | None = None
    shares_with: str | None = None
    no_finer_than: str | None = None
    clipped_by: str | None = None


def range_origins(graph: Graph, calibration: Calibration) -> dict[str, RangeOrigin]:
    """Return where the ranges of a calibrated float graph come from, by the names of layers."""
    layers = layer_names(graph)
    indices = activation_names(graph, layers)
    asked = {indices[name]: each for name, each in calibration.ranges.items() if name in indices}
    activations = calibration.observed.activations if calibration.observed else {}
    observed = {
        indices[name]: (each.min, each.max) for name, each in activations.items() if name in indices
    }
    groups = {index: group for group in sharing_groups(graph) for index in group}
    clipped = clipped_activations(graph)
    widening = widening_operators(graph, calibration.chosen)
    return {
        layers[index]: RangeOrigin(
            asked=(each.min, each.max),
            observed=observed.get(index),
            shares_with=_widest(index, groups.get(index, ()), observed, layers),
            no_finer_than=_limit(graph, widening[index], calibration, layers)
            if index in widening
            else None,
            clipped_by=clipped.get(index),
        )
        for index, each in asked.items()
    }


def _widest(
    index: int, group: Iterable[int], observed: Mapping[int, Range], layers: Mapping[int, str]
) -> str | None:
    """Return the layer of the largest values in a group; None if it is the one at ``index``."""
    known = [each for each in sorted(group) if each in observed]
    widest = max(known, key=lambda each: max(map(abs, observed[each])), default=index)
    if widest == index or observed[widest] == observed.get(index):
        return None
    return layers[widest]


def _limit(
    graph: Graph, operator: Operator, calibration: Calibration, layers: Mapping[int, str]
) -> str:
    """Say what steps may not be finer than: those of an operator's input, or what it accepts."""
    if operator.name in ("LOG_SOFTMAX", "SOFTMAX"):
        return f"those that {operator.name} accepts"
    names = {index: name for name, index in activation_names(graph, layers).items()}
    ranges = {
        index: calibration.ranges[names[index]]
        for index in operator.inputs
        if names.get(index) in calibration.ranges
    }
    coarsest = max(ranges, key=lambda index: ranges[index].max - ranges[index].min)
    ends = ranges[coarsest]
    return (
        f"{operator.name} can compute from the steps of {layers[coarsest]}, whose range is"
        f" {ends.min:.4g} to {ends.max:.4g}"
    )
