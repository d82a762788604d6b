"""The ranges of a model's activations: chosen, kept in a file, put into the model."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.calibration.activations.activation_statistics import Observed
from edgepack.calibration.activations.instrument import activation_names, activations
from edgepack.calibration.activations.observers import observer
from edgepack.calibration.activations.shared_scale import averaged, sharing_groups
from edgepack.config.export import DEFAULT_OBSERVER
from edgepack.core.codec import as_json
from edgepack.core.errors import CalibrationError
from edgepack.core.schema_version import SCHEMA
from edgepack.core.user_files import read_user_text
from edgepack.storage.text_files import write_json
from edgepack.tflite.graph import Graph
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite, quantization

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Range:
    """The least and the largest value that an activation is to represent, in its unit."""

    min: float
    max: float


Ranges = dict[str, Range]
"""Ranges by the name of the activation's tensor in the float .tflite."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Ranges, and what they were chosen from; None if they come from a file."""

    ranges: Ranges
    observed: Observed | None


def choose_ranges(graph: Graph, observed: Observed, how: str) -> Ranges:
    """Choose the ranges by an observer, such as ``mse``, so that a quantizer can keep them.

    A model's inputs and outputs are never clipped: they get min-max. Zero is in every range, for
    padding and ReLU need it exact; activations that must share a scale get the range that holds
    all of theirs. Raises :class:`~edgepack.core.errors.ConfigError` for an unknown observer.
    """
    chosen, unclipped = observer(how), observer(DEFAULT_OBSERVER)
    names = activation_names(graph, activations(graph))
    ends = {*graph.inputs, *graph.outputs}
    pooled = averaged(graph)
    ranges: Ranges = {}
    for together in _groups(graph, names):
        is_end = any(names[name] in ends for name in together)
        seen = [
            replace(observed.activations[name], averaged=pooled.get(names[name], 1.0))
            for name in together
        ]
        low, high = (unclipped if is_end else chosen).range(seen)
        ranges |= dict.fromkeys(
            together, Range(min=_float32(min(low, 0.0)), max=_float32(max(high, 0.0)))
        )
    return {name: ranges[name] for name in names}


def write_ranges(float_tflite: bytes, ranges: Mapping[str, Range]) -> bytes:
    """Write ranges into a float .tflite: ``quantization.min`` and ``max``, where quantizers look.

    ``ranges`` has all that :func:`choose_ranges` gives.
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


def recorded(calibrated_tflite: bytes) -> Ranges:
    """Read the ranges that a float .tflite carries."""
    rewrite = Rewrite(calibrated_tflite)
    graph = read_tflite(calibrated_tflite).main
    found = {}
    for name, index in activation_names(graph, range(len(graph.tensors))).items():
        parameters = rewrite.graph.tensors[index].quantization
        if parameters is not None and parameters.min is not None and len(parameters.min) == 1:
            found[name] = Range(min=_float32(parameters.min[0]), max=_float32(parameters.max[0]))
    return found


def save_ranges(
    path: Path, ranges: Mapping[str, Range], how: str | None, observed: Observed | None
) -> None:
    """Write calibration.json: by which observer, None if ranges were given, and what was seen.

    Then the ranges, to be read, edited and used again.
    """
    content = {
        "schema": SCHEMA,
        "observer": how,
        "samples": observed and observed.samples,
        "growth": as_json(observed.growth) if observed else [],
        "activations": as_json(ranges),
    }
    write_json(path, content)


def load_ranges(path: Path, graph: Graph) -> Ranges:
    """Read calibration.json for a float model, whatever was edited in it.

    Raises :class:`CalibrationError` for a file that is none, that lacks an activation of the
    model or names another, for a range that is no range or leaves zero out, and for activations
    that must share a scale but have different ranges.
    """
    entries = read_entries(path)
    names = activation_names(graph, activations(graph))
    known = activation_names(graph, range(len(graph.tensors)))
    for name in entries:
        if name not in known:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "is the file of another model?"
            raise CalibrationError(f"{path}: the model has no activation {name!r}; {hint}")
    if missing := [name for name in names if name not in entries]:
        raise CalibrationError(
            f"{path}: no range for {missing[0]!r}, one of {len(missing)} activations that it lacks;"
            " calibrate this model again"
        )
    ranges = {name: _range(path, name, entry) for name, entry in entries.items()}
    for group in _groups(graph, names):
        first, *others = group
        for other in others:
            if ranges[other] != ranges[first]:
                raise CalibrationError(
                    f"{path}: {first!r} and {other!r} share one scale, but their ranges differ;"
                    " give both the same"
                )
    return ranges


def read_entries(path: Path) -> dict[str, Any]:
    """Read the activations of a calibration.json as they are; see :func:`load_ranges`."""
    text = read_user_text(path, CalibrationError, "file")
    try:
        content = json.loads(text)
    except RecursionError:
        raise CalibrationError(f"{path}: not valid JSON: it is nested too deeply") from None
    except ValueError as error:
        raise CalibrationError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("activations"), dict):
        raise CalibrationError(
            f"{path}: holds no 'activations'; give a calibration.json that edgepack wrote"
        )
    if content.get("schema") != SCHEMA:
        raise CalibrationError(
            f"{path}: schema {content.get('schema')!r}; this edgepack reads schema {SCHEMA}"
        )
    entries: dict[str, Any] = content["activations"]
    return entries


def _range(path: Path, name: str, entry: Any) -> Range:
    ends: list[Any] = [entry.get("min"), entry.get("max")] if isinstance(entry, dict) else []
    if not ends or not all(type(end) in (int, float) and abs(end) <= _LARGEST for end in ends):
        raise CalibrationError(f"{path}: {name!r} needs a finite number as 'min' and as 'max'")
    low, high = map(_float32, ends)
    if not low <= 0 <= high:
        raise CalibrationError(
            f"{path}: the range of {name!r}, {low:g} to {high:g}, leaves zero out, which must be"
            " exact; let 'min' be 0 at most and 'max' 0 at least"
        )
    return Range(min=low, max=high)


def _groups(graph: Graph, names: Mapping[str, int]) -> Iterable[list[str]]:
    """Put the activations that share a scale together, the others each by itself."""
    shared = sharing_groups(graph)
    for group in shared:
        yield [name for name, index in names.items() if index in group]
    for name, index in names.items():
        if not any(index in group for group in shared):
            yield [name]


def _float32(value: float) -> float:
    """Round to float32, and write no more digits than that needs.

    >>> _float32(0.1 + 0.2), _float32(1e-3)
    (0.3, 0.001)
    """
    return float(str(np.float32(value)))
