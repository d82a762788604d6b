"""Outputs of two models on the same samples, read side by side by blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.quantization.affine import dequantize
from edgepack.storage.arrays import blocks, stretches, take
from edgepack.tflite.graph import Tensor

Array = NDArray[Any]

Mask = NDArray[np.bool_]
"""Which samples, shape (samples,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleSelection:
    """Chosen that are read together: ``rows`` of a dataset, or those ``chosen`` among them."""

    rows: slice
    chosen: Mask | None = None

    @property
    def numbers(self) -> Array:
        """Their numbers in the dataset, shape (samples,)."""
        return self.of(np.arange(self.rows.start, self.rows.stop))

    def of(self, block: Array) -> Array:
        """Leave those of a block (rows, ...) that are meant."""
        return block if self.chosen is None else block[self.chosen]


def real_blocks(
    outputs: Array, tensor: Tensor | None, mask: Mask | None = None
) -> Iterator[tuple[SampleSelection, Array]]:
    """Read the real values of outputs (samples, ...) by blocks.

    ``tensor`` tells what integers in ``outputs`` stand for, and is None for real values. A ``mask``
    says which samples of the dataset are meant: ``outputs`` has the whole dataset, or those only.
    """
    if mask is None:
        for rows, (block,) in blocks(outputs):
            yield SampleSelection(rows=rows), dequantized(block, tensor)
        return
    is_whole = len(outputs) == len(mask)
    done = 0
    for rows in stretches(len(mask), outputs):
        samples = SampleSelection(rows=rows, chosen=mask[rows])
        count = int(mask[rows].sum())
        if count:
            own = rows if is_whole else slice(done, done + count)
            block = take(outputs, own)
            yield samples, dequantized(samples.of(block) if is_whole else block, tensor)
        done += count


def paired_blocks(
    float_outputs: Array, outputs: Array, tensor: Tensor | None, mask: Mask | None = None
) -> Iterator[tuple[SampleSelection, Array, Array]]:
    """Read the float model's real values beside others, as :func:`real_blocks` does."""
    if mask is None:
        for rows, (ours, theirs) in blocks(float_outputs, outputs):
            yield SampleSelection(rows=rows), ours, dequantized(theirs, tensor)
        return
    for samples, made in real_blocks(outputs, tensor, mask):
        yield samples, samples.of(take(float_outputs, samples.rows)), made


def dequantized(outputs: Array, tensor: Tensor | None) -> Array:
    """Give the real values of outputs; those of None are real already."""
    return outputs if tensor is None else dequantize(outputs, tensor)


def sqnr_db(
    signal: Array, noisy: Array, tensor: Tensor | None = None, mask: Mask | None = None
) -> float | None:
    """Compute the signal-to-quantization-noise ratio, ``10 log10(sum s^2 / sum (s - n)^2)``, in dB.

    Takes arrays (samples, ...) as :func:`real_blocks` does. None if there is no noise, or no signal
    to compare it with.

    >>> round(sqnr_db(np.array([10.0, 0.0]), np.array([9.0, 0.0])), 1)
    20.0
    """
    power = noise = 0.0
    for _, ours, theirs in paired_blocks(signal, noisy, tensor, mask):
        exact = ours.astype(np.float64)
        power += float(np.square(exact).sum())
        noise += float(np.square(exact - theirs).sum())
    return ratio_in_decibels(power, noise)


def ratio_in_decibels(power: float, noise: float) -> float | None:
    """Compute the ratio of the power of a signal to that of noise, in dB.

    None if either is 0, or beyond all numbers.
    """
    ratio = power / noise if 0 < noise < math.inf else 0.0
    return 10 * math.log10(ratio) if 0 < ratio < math.inf else None
