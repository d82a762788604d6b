"""Figures of one layer, summed sample by sample: no sample's values are kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.layer_errors.match_layers import Layer, weight_spread
from edgepack.layer_errors.result import Figures
from edgepack.quantization import affine
from edgepack.tflite.graph import Tensor

Array = NDArray[Any]
Range = tuple[float, float]

BINS = 64
_FINE = 32  # parts of a bin, to find the bulk
_BULK = 0.999
_PARTS = [part / 50 for part in range(1, 50)]  # of a range, to look for a better one
_NOISES = ("total", "own", "constants", "clipping", "rounding")


class LayerStatistics:
    """Sums over samples what a layer gives in float and what quantized.

    ``span`` is the least and the largest float value over all samples.
    """

    def __init__(self, layer: Layer, span: Range) -> None:
        self._layer = layer
        self._span = span
        self._limits = quantized_range(layer.quantized)
        self._signal = self._power = self._dot = 0.0
        self._noise = dict.fromkeys(_NOISES, 0.0)
        self._counts = np.zeros(BINS * _FINE, np.int64)
        self._values = self._outside = 0

    def add(self, real: Array, twin: Array, quantized: Array) -> None:
        """Add a sample: the float tensor, that of its twin, and the quantized model's."""
        tensor = self._layer.quantized
        real = real.ravel().astype(np.float64)
        made = affine.dequantize(quantized, tensor).ravel().astype(np.float64)
        rounded, own = _rounded(real, tensor), _rounded(twin.ravel(), tensor)
        if self._layer.moves:
            rounded = own = real
        error = np.square(rounded - real)
        outside = self._is_outside(real)
        self._signal += float(real @ real)
        self._power += float(made @ made)
        self._dot += float(real @ made)
        self._noise["total"] += float(np.square(made - real).sum())
        self._noise["own"] += float(np.square(own - real).sum())
        self._noise["constants"] += float(np.square(twin.ravel() - real).sum())
        self._noise["clipping"] += float(error[outside].sum())
        self._noise["rounding"] += float(error[~outside].sum())
        self._counts += np.histogram(real, self._counts.size, self._span)[0]
        self._values += real.size
        self._outside += int(outside.sum())

    def figures(self, place: int) -> Figures:
        """Sum up; ``place`` is the layer's in the order of execution."""
        layer, quant = self._layer, self._layer.quantized.quant
        powers = self._signal * self._power
        narrowed, gain = self._best()
        return Figures(
            name=layer.name,
            place=place,
            operator=layer.operator,
            tensor=layer.quantized.name,
            dtype=layer.quantized.dtype,
            sources=layer.sources,
            sqnr_db={name: _decibels(self._signal, noise) for name, noise in self._noise.items()},
            cosine=self._dot / math.sqrt(powers) if powers else None,
            saturation=self._outside / self._values,
            float_range=self._span,
            bulk_range=self._bulk(),
            quantized_range=self._limits,
            best_range=self._limits and (self._limits[0] * narrowed, self._limits[1] * narrowed),
            gain_db=gain,
            scale=quant.scale[0] if quant else None,
            zero_point=quant.zero_point[0] if quant else None,
            weight_dtype=layer.weights.dtype if layer.weights else None,
            weight_spread=weight_spread(layer),
            histogram=tuple(self._counts.reshape(BINS, -1).sum(axis=1).tolist()),
        )

    def _is_outside(self, real: Array) -> NDArray[np.bool_]:
        """Find what is clipped: what lies more than half a step outside."""
        if self._limits is None or self._layer.quantized.quant is None:
            return np.zeros(real.shape, np.bool_)
        low, high = self._limits
        half = self._layer.quantized.quant.scale[0] / 2
        return (real < low - half) | (real > high + half)

    def _best(self) -> tuple[float, float]:
        """Find how much narrower the range would best be, and what is gained, in dB.

        The noise of rounding goes with the square of the step, that of clipping comes from the
        histogram.
        """
        now = self._noise["rounding"] + self._noise["clipping"]
        if self._limits is None or not now:
            return 1.0, 0.0
        edges = np.linspace(*self._span, self._counts.size + 1)
        values = (edges[1:] + edges[:-1]) / 2
        low, high = self._limits
        noises = {
            part: self._noise["rounding"] * part**2
            + float(self._counts @ np.square(values - np.clip(values, low * part, high * part)))
            for part in _PARTS
        }
        best = min(noises, key=lambda part: noises[part])
        gain = 10 * math.log10(now / noises[best])
        return (best, gain) if gain > 0 else (1.0, 0.0)

    def _bulk(self) -> Range:
        """Find the range, zero included, that all but a thousandth of the values lie in."""
        edges = np.linspace(*self._span, self._counts.size + 1)
        below = np.concatenate([[0], np.cumsum(self._counts)]) / self._values
        tail = (1 - _BULK) / 2
        low = float(edges[np.searchsorted(below, tail, side="right") - 1])
        high = float(edges[np.searchsorted(below, 1 - tail)])
        return min(low, 0.0), max(high, 0.0)


def quantized_range(tensor: Tensor) -> Range | None:
    """Give the least and the largest real value of a quantized tensor; None if it is none."""
    if tensor.quant is None:
        return None
    return affine.real_range(tensor)


def _rounded(values: Array, tensor: Tensor) -> Array:
    """Quantize and dequantize."""
    return affine.dequantize(affine.quantize(values, tensor), tensor).astype(np.float64)


def _decibels(signal: float, noise: float) -> float | None:
    return 10 * math.log10(signal / noise) if signal and noise else None
