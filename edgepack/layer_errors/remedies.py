"""The changes of the options that may lower the error of a quantized model's worst layers.

None is advice before it has been tried: ``edgepack.pipeline.trials`` does that.
"""

from __future__ import annotations

import glob
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgepack.config.export import ExportConfig
from edgepack.config.quantization import (
    DYNAMIC_RANGE,
    FLOAT,
    FLOAT16,
    INT4,
    INT8,
    INT16,
)
from edgepack.config.shared_settings import DEFAULT_OBSERVER
from edgepack.core.errors import ConfigError
from edgepack.layer_errors.causes import SMALL_SHARE
from edgepack.layer_errors.match_layers import INPUT
from edgepack.layer_errors.result import LayerFigures, LayerReport, Range

SPLIT_OUTPUTS = "--split-outputs"
"""What gives the parts of an output scales of their own: a cure of the output, not of a layer."""

MAX_WORST = 5
"""Layers that are explained, and that remedies are for."""

_MAX_CONSUMERS = 4  # more would make most of the model int16
_OBSERVERS = (DEFAULT_OBSERVER, "mse", "lp", "percentile", "entropy")
_WIDER_SCHEMES = {INT4: (INT8, INT16), INT8: (INT16,), DYNAMIC_RANGE: (FLOAT16,)}
_WIDER_LAYERS = {INT4: (INT8, FLOAT), INT8: (FLOAT,), INT16: (FLOAT,)}


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """Options to add to a command, for the named ``layers``, or for the whole model without any.

    ``config`` has the settings with these options. ``own_range`` is the range to give the only
    layer, in a file of ranges, whose name ``options`` lack.
    """

    options: str
    config: ExportConfig
    layers: tuple[str, ...] = ()
    own_range: Range | None = None


def worst_layers(layers: Sequence[LayerReport]) -> list[LayerReport]:
    """Return the layers that are worth explaining, from all in the order of their shares."""
    return [layer for layer in layers if layer.share >= SMALL_SHARE][:MAX_WORST]


def remedies(layers: Sequence[LayerReport], config: ExportConfig) -> list[Remedy]:
    """List what to try for the worst layers: first for the whole model, then layer by layer.

    ``layers`` are all, in the order of their shares. What the settings have already is left out.
    """
    worst = worst_layers(layers)
    figures = {layer.figures.name: layer.figures for layer in layers}
    if not worst:
        return []
    listed = [
        *_schemes(config),
        *_observers(config),
        *_dense(worst, config),
        *(remedy for layer in worst for remedy in _of_layer(layer, figures, config)),
    ]
    return list({each.options + str(each.own_range): each for each in listed}.values())


def _schemes(config: ExportConfig) -> Iterator[Remedy]:
    for scheme in _WIDER_SCHEMES.get(config.quantization.scheme, ()):
        yield from _quantized(config, f"--scheme {scheme}", {"scheme": scheme})


def _observers(config: ExportConfig) -> Iterator[Remedy]:
    if not config.quantization.needs_ranges or config.ranges:
        return
    for name in _OBSERVERS:
        if name != config.observer:
            yield Remedy(options=f"--observer {name}", config=replace(config, observer=name))


def _dense(worst: Sequence[LayerReport], config: ExportConfig) -> Iterator[Remedy]:
    names = tuple(each.figures.name for each in worst if each.figures.weight_spread is not None)
    if names:
        yield from _quantized(config, "--dense per-channel", {"dense": "per-channel"}, names)


def _of_layer(
    layer: LayerReport, figures: Mapping[str, LayerFigures], config: ExportConfig
) -> Iterator[Remedy]:
    name, quantization = layer.figures.name, config.quantization
    if quantization.needs_ranges and (own_range := _own_range(layer)):
        # Ranges and another observer exclude each other.
        observer = "" if config.observer == DEFAULT_OBSERVER else f"--observer {DEFAULT_OBSERVER} "
        yield Remedy(
            options=f"{observer}--ranges",
            config=replace(config, observer=DEFAULT_OBSERVER),
            layers=(name,),
            own_range=own_range,
        )
    if layer.figures.operator == INPUT:
        return
    consumers = [each.name for each in figures.values() if name in each.sources]
    if quantization.scheme in (INT8, INT4) and len(consumers) <= _MAX_CONSUMERS:
        yield from _layers_in(config, (name, *consumers), INT16, name)
    for wider in _WIDER_LAYERS.get(layer.figures.weight_dtype or layer.figures.dtype, ()):
        yield from _layers_in(config, (name,), wider, name)


def _layers_in(
    config: ExportConfig, names: Sequence[str], scheme: str, of: str
) -> Iterator[Remedy]:
    """Yield the remedy that computes layers in a scheme, for the layer ``of``."""
    added = tuple((glob.escape(name), scheme) for name in names)
    options = " ".join(shlex.join(["--layer", "=".join(pair)]) for pair in added)
    yield from _quantized(config, options, {"layers": (*config.quantization.layers, *added)}, (of,))


def _own_range(layer: LayerReport) -> Range | None:
    """Return a range that suits the layer's values better than its own; None if that is good."""
    cause, figures = layer.finding.cause, layer.figures
    if cause == "outliers":
        return figures.best_range
    if cause not in ("range too narrow", "range too wide"):
        return None
    return min(figures.float_range[0], 0.0), max(figures.float_range[1], 0.0)


def _quantized(
    config: ExportConfig, options: str, changes: dict[str, Any], layers: tuple[str, ...] = ()
) -> Iterator[Remedy]:
    """Yield the remedy that changes the quantization, unless its settings contradict each other."""
    try:
        quantization = replace(config.quantization, **changes)
    except ConfigError:
        return
    if quantization != config.quantization:
        yield Remedy(
            options=options, config=replace(config, quantization=quantization), layers=layers
        )
