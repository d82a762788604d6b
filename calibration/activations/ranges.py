"""The ranges of a model's activations: choosing, saving, loading, and writing into the model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.calibration.activations.activation_statistics import Observed
from edgepack.calibration.activations.instrument import activation_names, find_activations
from edgepack.calibration.activations.observers import make_observer
from edgepack.calibration.activations.shared_scale import pooling_factors, sharing_groups
from edgepack.config.shared_settings import DEFAULT_OBSERVER
from edgepack.core.codec import as_json
from edgepack.core.errors import CalibrationError
from edgepack.core.schema_version import SCHEMA
from edgepack.core.user_files import read_user_text
from edgepack.core.wording import did_you_mean
from edgepack.storage.text_files import write_json
from edgepack.tflite.graph import Graph
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite, quantization

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Range:
    """The smallest and the largest value to represent, in the unit of the activation."""

    min: float
    max: float


Ranges = dict[str, Range]
"""Ranges by the name of the activation's tensor in the float .tflite."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Ranges, and the statistics they were chosen from (None for ranges from a file).

    ``chosen`` are the ranges before those were widened that an interpreter would refuse.
    ``constants`` are the ranges to which constants are clipped, by name. ``notes`` are remarks on
    what was observed, and on these constants.
    """

    ranges: Ranges
    observed: Observed | None
    chosen: Ranges = field(default_factory=dict)
    constants: Ranges = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_ranges(graph: Graph, observed: Observed, observer_name: str) -> Ranges:
    """Choose the ranges with an observer, such as ``mse``, so that a quantizer can use them as is.

    A model's inputs and outputs are never clipped: they get min-max. Every range includes zero,
    which must be exact for padding and ReLU; activations that must share a scale get one range for
    all of them. Raises :class:`~edgepack.core.errors.ConfigError` for an unknown observer.
    """
    clipping, unclipped = make_observer(observer_name), make_observer(DEFAULT_OBSERVER)
    names = activation_names(graph, find_activations(graph))
    inputs_and_outputs = {*graph.inputs, *graph.outputs}
    factors = pooling_factors(graph)
    ranges: Ranges = {}
    for group in _groups(graph, names):
        is_clipped = all(names[name] not in inputs_and_outputs for name in group)
        statistics = [
            replace(observed.activations[name], averaged=factors.get(names[name], 1.0))
            for name in group
        ]
        low, high = (clipping if is_clipped else unclipped).range(statistics)
        ranges |= dict.fromkeys(
            group, Range(min=shortest_float32(min(low, 0.0)), max=shortest_float32(max(high, 0.0)))
        )
    return {name: ranges[name] for name in names}


def write_ranges(float_tflite: bytes, ranges: Mapping[str, Range]) -> bytes:
    """Write ranges into a float .tflite, as ``quantization.min`` and ``max``, for quantizers.

    ``ranges`` has all activations, as :func:`choose_ranges` returns them.
    """
    rewrite = Rewrite(float_tflite)
    graph = read_tflite(float_tflite).main
    for name, index in activation_names(graph, range(len(graph.tensors))).items():
        if name in ranges:
            tensor = rewrite.graph.tensors[index]
            tensor.quantization = quantization([], [])
            tensor.quantization.min = np.array([ranges[name].min], np.float32)
            tensor.quantization.max = np.array([ranges[name].max], np.float32)
    return rewrite.to_bytes()


def read_recorded_ranges(calibrated_tflite: bytes) -> Ranges:
    """Return the ranges that a calibrated float .tflite contains."""
    rewrite = Rewrite(calibrated_tflite)
    graph = read_tflite(calibrated_tflite).main
    ranges = {}
    for name, index in activation_names(graph, range(len(graph.tensors))).items():
        parameters = rewrite.graph.tensors[index].quantization
        if parameters is not None and parameters.min is not None and len(parameters.min) == 1:
            ranges[name] = Range(
                min=shortest_float32(parameters.min[0]), max=shortest_float32(parameters.max[0])
            )
    return ranges


def save_ranges(
    path: Path,
    ranges: Mapping[str, Range],
    observer_name: str | None,
    observed: Observed | None,
    constants: Mapping[str, Range] | None = None,
) -> None:
    """Write calibration.json: the ranges, which can be edited and used again, and their origin.

    ``observer_name`` is None for ranges provided by the user, ``observed`` if nothing was observed.
    ``constants`` are the ranges that constants are clipped to, by name.
    """
    content = {
        "schema": SCHEMA,
        "observer": observer_name,
        "samples": observed and observed.samples,
        "growth": as_json(observed.growth) if observed else [],
        "activations": as_json(ranges),
        "constants": as_json(constants or {}),
    }
    write_json(path, content)


def load_ranges(path: Path, graph: Graph) -> Ranges:
    """Read and validate the ranges of a calibration.json, possibly edited, for a float model.

    Raises :class:`CalibrationError` for an invalid file, for missing or unknown activations, for
    a range that is invalid or excludes zero, and for activations that must share a scale but have
    different ranges.
    """
    entries = read_entries(path)
    names = activation_names(graph, find_activations(graph))
    known = activation_names(graph, range(len(graph.tensors)))
    for name in entries:
        if name not in known:
            hint = did_you_mean(name, names).strip() or "is the file for another model?"
            raise CalibrationError(f"{path}: the model has no activation {name!r}; {hint}")
    if missing := [name for name in names if name not in entries]:
        raise CalibrationError(
            f"{path}: no range for {missing[0]!r}, one of {len(missing)} missing activations;"
            " calibrate this model again"
        )
    ranges = {name: _range(path, name, entry) for name, entry in entries.items()}
    for group in _groups(graph, names):
        first, *others = group
        for other in others:
            if ranges[other] != ranges[first]:
                raise CalibrationError(
                    f"{path}: {first!r} and {other!r} share one scale, but their ranges differ;"
                    " set both to the same range"
                )
    return ranges


def load_constants(path: Path, graph: Graph) -> Ranges:
    """Read and validate the ranges that a calibration.json clips constants of a float model to.

    Raises :class:`CalibrationError` for an invalid file, for a range that is invalid, and for a
    constant that the model does not have.
    """
    entries = _read_content(path).get("constants", {})
    if not isinstance(entries, dict):
        raise CalibrationError(
            f"{path}: 'constants' must have a range by the name of each constant; calibrate this"
            " model again"
        )
    known = activation_names(graph, range(len(graph.tensors)))
    ranges = {}
    for name, entry in entries.items():
        index = known.get(name)
        tensor = None if index is None else graph.tensors[index]
        if tensor is None or not tensor.is_constant or tensor.dtype != "float32":
            raise CalibrationError(
                f"{path}: the model has no float32 constant {name!r}; calibrate this model again"
            )
        low, high = _bounds(path, name, entry)
        if low > high:
            raise CalibrationError(
                f"{path}: the range of {name!r}, {low:g} to {high:g}, is empty; set 'min' to 'max'"
                " or less"
            )
        ranges[name] = Range(min=low, max=high)
    return ranges


def read_entries(path: Path) -> dict[str, Any]:
    """Read the activations of a calibration.json without validating their ranges.

    Raises :class:`CalibrationError` for a file that cannot be read or is no calibration.json.
    """
    entries: dict[str, Any] = _read_content(path)["activations"]
    return entries


def _read_content(path: Path) -> dict[str, Any]:
    text = read_user_text(
        path, CalibrationError, "file", cure="provide a calibration.json written by edgepack"
    )
    try:
        content = json.loads(text)
    except RecursionError:
        raise CalibrationError(f"{path}: not valid JSON: it is nested too deeply") from None
    except ValueError as error:
        raise CalibrationError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("activations"), dict):
        raise CalibrationError(
            f"{path}: has no 'activations'; provide a calibration.json written by edgepack"
        )
    if content.get("schema") != SCHEMA:
        raise CalibrationError(
            f"{path}: schema {content.get('schema')!r}; this edgepack reads schema {SCHEMA}"
        )
    return content


def _range(path: Path, name: str, entry: Any) -> Range:
    low, high = _bounds(path, name, entry)
    if not low <= 0 <= high:
        raise CalibrationError(
            f"{path}: the range of {name!r}, {low:g} to {high:g}, excludes zero, which must be"
            " exact; set 'min' to 0 or less and 'max' to 0 or greater"
        )
    return Range(min=low, max=high)


def _bounds(path: Path, name: str, entry: Any) -> tuple[float, float]:
    bounds: list[Any] = [entry.get("min"), entry.get("max")] if isinstance(entry, dict) else []
    if not bounds or not all(
        type(bound) in (int, float) and abs(bound) <= _MAX_FLOAT32 for bound in bounds
    ):
        raise CalibrationError(f"{path}: {name!r} needs a finite number as 'min' and as 'max'")
    low, high = map(shortest_float32, bounds)
    return low, high


def _groups(graph: Graph, names: Mapping[str, int]) -> Iterable[list[str]]:
    """Group the activations that share a scale; each of the others is a group of its own."""
    shared = sharing_groups(graph)
    for group in shared:
        yield [name for name, index in names.items() if index in group]
    for name, index in names.items():
        if not any(index in group for group in shared):
            yield [name]


def shortest_float32(value: float) -> float:
    """Round to float32 and return its shortest decimal representation as a float.

    >>> shortest_float32(0.1 + 0.2), shortest_float32(1e-3)
    (0.3, 0.001)
    """
    return float(str(np.float32(value)))
