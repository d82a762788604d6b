"""Statistics of one layer, accumulated sample by sample; no sample's values are kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.layer_errors.match_layers import Layer, weight_spread
from edgepack.layer_errors.result import LayerFigures
from edgepack.quantization import affine
from edgepack.tflite.graph import Tensor

Array = NDArray[Any]
Range = tuple[float, float]

BINS = 64
_SUBBINS = 32  # per bin, for the precision of the bulk range
_BULK = 0.999
_FACTORS = [step / 50 for step in range(1, 50)]  # to narrow a range by, to find a better one
_NOISES = ("total", "own", "constants", "clipping", "rounding")


class LayerStatistics:
    """Accumulates the float and the quantized values of a layer over samples.

    ``float_range`` is the minimum and the maximum of the float values over all samples.
    """

    def __init__(self, layer: Layer, float_range: Range) -> None:
        self._layer = layer
        self._float_range = float_range
        self._quantized_range = quantized_range(layer.quantized)
        self._signal = self._power = self._dot = 0.0
        self._noise = dict.fromkeys(_NOISES, 0.0)
        self._counts = np.zeros(BINS * _SUBBINS, np.int64)
        self._values = self._outside = 0

    def add(self, real: Array, twin: Array, quantized: Array) -> None:
        """Add a sample: the layer's tensor in the float model, of its twin, and quantized.

        ``twin`` is computed from the float model's tensors with the quantized model's constants; it
        equals ``real`` if there are none.
        """
        tensor = self._layer.quantized
        real = real.ravel().astype(np.float64)
        dequantized = affine.dequantize(quantized, tensor).ravel().astype(np.float64)
        rounded, own = _rounded(real, tensor), _rounded(twin.ravel(), tensor)
        if self._layer.moves:
            rounded = own = real
        error = np.square(rounded - real)
        outside = self._is_outside(real)
        self._signal += float(real @ real)
        self._power += float(dequantized @ dequantized)
        self._dot += float(real @ dequantized)
        self._noise["total"] += float(np.square(dequantized - real).sum())
        self._noise["own"] += float(np.square(own - real).sum())
        self._noise["constants"] += float(np.square(twin.ravel() - real).sum())
        self._noise["clipping"] += float(error[outside].sum())
        self._noise["rounding"] += float(error[~outside].sum())
        self._counts += np.histogram(real, self._counts.size, self._float_range)[0]
        self._values += real.size
        self._outside += int(outside.sum())

    def figures(self, place: int) -> LayerFigures:
        """Return the statistics; ``place`` is the layer's index in the order of execution."""
        layer, quant = self._layer, self._layer.quantized.quant
        powers = self._signal * self._power
        factor, gain = self._best_factor()
        limits = self._quantized_range
        return LayerFigures(
            name=layer.name,
            place=place,
            operator=layer.operator,
            tensor=layer.quantized.name,
            dtype=layer.quantized.dtype,
            sources=layer.sources,
            sqnr_db={name: _decibels(self._signal, noise) for name, noise in self._noise.items()},
            cosine=self._dot / math.sqrt(powers) if powers else None,
            saturation=self._outside / self._values,
            float_range=self._float_range,
            bulk_range=self._bulk_range(),
            quantized_range=limits,
            best_range=limits and (limits[0] * factor, limits[1] * factor),
            gain_db=gain,
            scale=quant.scale[0] if quant else None,
            zero_point=quant.zero_point[0] if quant else None,
            weight_dtype=layer.weights.dtype if layer.weights else None,
            weight_spread=weight_spread(layer),
            histogram=tuple(self._counts.reshape(BINS, -1).sum(axis=1).tolist()),
        )

    def _is_outside(self, real: Array) -> NDArray[np.bool_]:
        """Return which values are clipped: those more than half a step outside the range."""
        if self._quantized_range is None or self._layer.quantized.quant is None:
            return np.zeros(real.shape, np.bool_)
        low, high = self._quantized_range
        half_step = self._layer.quantized.quant.scale[0] / 2
        return (real < low - half_step) | (real > high + half_step)

    def _best_factor(self) -> tuple[float, float]:
        """Find the factor to narrow the range by for minimal noise, and the gain in dB.

        Rounding noise is proportional to the square of the step; clipping noise is estimated from
        the histogram.
        """
        noise = self._noise["rounding"] + self._noise["clipping"]
        if self._quantized_range is None or not noise:
            return 1.0, 0.0
        edges = np.linspace(*self._float_range, self._counts.size + 1)
        values = (edges[1:] + edges[:-1]) / 2
        low, high = self._quantized_range
        noises = {
            factor: self._noise["rounding"] * factor**2
            + float(self._counts @ np.square(values - np.clip(values, low * factor, high * factor)))
            for factor in _FACTORS
        }
        best = min(noises, key=lambda factor: noises[factor])
        gain = 10 * math.log10(noise / noises[best])
        return (best, gain) if gain > 0 else (1.0, 0.0)

    def _bulk_range(self) -> Range:
        """Find the range of 99.9% of the values, extended to zero if necessary."""
        edges = np.linspace(*self._float_range, self._counts.size + 1)
        below = np.concatenate([[0], np.cumsum(self._counts)]) / self._values
        tail = (1 - _BULK) / 2
        low = float(edges[np.searchsorted(below, tail, side="right") - 1])
        high = float(edges[np.searchsorted(below, 1 - tail)])
        return min(low, 0.0), max(high, 0.0)


def quantized_range(tensor: Tensor) -> Range | None:
    """Return the least and the largest representable real value; None if not quantized."""
    if tensor.quant is None:
        return None
    return affine.real_range(tensor)


def _rounded(values: Array, tensor: Tensor) -> Array:
    """Quantize and dequantize, float64."""
    return affine.dequantize(affine.quantize(values, tensor), tensor).astype(np.float64)


def _decibels(signal: float, noise: float) -> float | None:
    return 10 * math.log10(signal / noise) if signal and noise else None
