"""Block-wise reading of the outputs of two models on the same samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.quantization.affine import dequantize
from edgepack.storage.arrays import block_slices, blocks, read_slice
from edgepack.tflite.graph import Tensor

Array = NDArray[Any]

MIN_SQNR_DB = 5.0
"""The SQNR below which values are lost: 10 ** (-5 / 20) = 0.56 of their amplitude is error."""

Mask = NDArray[np.bool_]
"""Selects samples of a dataset, shape (samples,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleSelection:
    """Samples that are read together: ``rows`` of a dataset, or only those of its ``mask``."""

    rows: slice
    mask: Mask | None = None

    @property
    def indices(self) -> Array:
        """The indices of the samples in the dataset, shape (samples,)."""
        return self.select(np.arange(self.rows.start, self.rows.stop))

    def select(self, block: Array) -> Array:
        """Select these samples from a block (rows, ...)."""
        return block if self.mask is None else block[self.mask]


def real_blocks(
    outputs: Array, tensor: Tensor | None, mask: Mask | None = None
) -> Iterator[tuple[SampleSelection, Array]]:
    """Read the real values of outputs (samples, ...) by blocks.

    ``tensor`` has the quantization of integer outputs, and is None for real values. With a
    ``mask``, only its samples are read; ``outputs`` holds the whole dataset or only these samples.
    """
    if mask is None:
        for rows, (block,) in blocks(outputs):
            yield SampleSelection(rows=rows), dequantized(block, tensor)
        return
    is_whole = len(outputs) == len(mask)
    done = 0
    for rows in block_slices(len(mask), outputs):
        samples = SampleSelection(rows=rows, mask=mask[rows])
        count = int(mask[rows].sum())
        if count:
            block = read_slice(outputs, rows if is_whole else slice(done, done + count))
            yield samples, dequantized(samples.select(block) if is_whole else block, tensor)
        done += count


def paired_blocks(
    float_outputs: Array, outputs: Array, tensor: Tensor | None, mask: Mask | None = None
) -> Iterator[tuple[SampleSelection, Array, Array]]:
    """Read the float model's outputs and another's as :func:`real_blocks`, side by side."""
    if mask is None:
        for rows, (float_block, block) in blocks(float_outputs, outputs):
            yield SampleSelection(rows=rows), float_block, dequantized(block, tensor)
        return
    for samples, block in real_blocks(outputs, tensor, mask):
        yield samples, samples.select(read_slice(float_outputs, samples.rows)), block


def dequantized(outputs: Array, tensor: Tensor | None) -> Array:
    """Return the real values of outputs, which are real already if ``tensor`` is None."""
    return outputs if tensor is None else dequantize(outputs, tensor)


def sqnr_db(
    signal: Array, noisy: Array, tensor: Tensor | None = None, mask: Mask | None = None
) -> float | None:
    """Compute the signal-to-quantization-noise ratio, ``10 log10(sum s^2 / sum (s - n)^2)``, in dB.

    Takes arrays (samples, ...) as :func:`real_blocks` does. None if there is no noise, or no
    signal.

    >>> round(sqnr_db(np.array([10.0, 0.0]), np.array([9.0, 0.0])), 1)
    20.0
    """
    power = noise = 0.0
    for _, signal_block, noisy_block in paired_blocks(signal, noisy, tensor, mask):
        exact = signal_block.astype(np.float64)
        power += float(np.square(exact).sum())
        noise += float(np.square(exact - noisy_block).sum())
    return ratio_in_decibels(power, noise)


def ratio_in_decibels(power: float, noise: float) -> float | None:
    """Compute the ratio of signal power to noise power in dB; None if either is 0 or infinite."""
    ratio = power / noise if 0 < noise < math.inf else 0.0
    return 10 * math.log10(ratio) if 0 < ratio < math.inf else None
