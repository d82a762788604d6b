"""How far the outputs of two models are from each other, found by blocks of samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgepack.evaluation.kl_divergence import Histogram, divergences
from edgepack.evaluation.output_noise import Kind, Noise
from edgepack.evaluation.paired_outputs import Array, pairs
from edgepack.evaluation.results import Distance
from edgepack.storage.arrays import extremes
from edgepack.tflite.graph import Tensor

WORST = 12
"""So many samples are told at most."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A sample on which two models differ: its number, whether in class, and how far."""

    index: int
    is_other_class: bool
    distance: float


@dataclass(kw_only=True)
class _Sums:
    """What is gathered on the way through the samples."""

    noise: Noise
    float_bins: Histogram
    other_bins: Histogram
    divergence: float = 0.0
    worst: list[Apart] = field(default_factory=list)


def distance(
    float_outputs: Array,
    outputs: Array,
    tensor: Tensor | None,
    kind: Kind,
    boundary: float,
) -> tuple[Distance, tuple[Apart, ...]]:
    """Compare outputs (samples, ...) with the float model's on the same samples.

    Takes them as :func:`~edgepack.evaluation.paired_outputs.real_blocks` does. Also gives the
    :data:`WORST` samples at most, those of another class first, then the farthest, then the first;
    samples on which the two give the same are none.

    The KL divergence is that of :func:`~edgepack.evaluation.kl_divergence.divergences`, mean over
    samples or pixels, or else that of the values' histograms: 128 equal bins over the
    range of the float outputs, the first and the last of which also count what is outside, and
    half a value more in each, so that it stays finite.
    """
    low, high = (float(end) for end in extremes(float_outputs))
    noise = Noise(kind, boundary)
    sums = _Sums(noise=noise, float_bins=Histogram(low, high), other_bins=Histogram(low, high))
    for samples, ours, theirs in pairs(float_outputs, outputs, tensor):
        _add(sums, samples.numbers, ours, theirs, kind, boundary, _floor(tensor))
    return Distance(
        agreement=noise.agreement,
        kl_divergence=sums.divergence / noise.decisions
        if noise.decisions
        else sums.float_bins.divergence(sums.other_bins),
        sqnr_db=noise.sqnr_db,
        max_abs_error=noise.max_abs_error,
        mean_abs_error=noise.mean_abs_error,
    ), tuple(sums.worst)


def _floor(tensor: Tensor | None) -> float:
    """Tell what a probability of 0 stands for: up to half a step, of which this is all."""
    return tensor.quant.scale[0] / 2 if tensor is not None and tensor.quant is not None else 0.0


def _add(
    sums: _Sums,
    numbers: Array,
    ours: Array,
    theirs: Array,
    kind: Kind,
    boundary: float,
    floor: float,
) -> None:
    """Count a block of samples, of which ``numbers`` are those in the dataset."""
    signal, squared, differs = sums.noise.add(ours, theirs)
    if differs is None:
        sums.float_bins.add(signal)
        sums.other_bins.add(theirs)
        changed = np.zeros(len(ours), bool)
        far = squared.reshape(len(ours), -1).mean(axis=1)
    else:
        divergence = divergences(signal, theirs, are_logits=boundary == 0, floor=floor)
        sums.divergence += float(divergence.sum())
        changed = differs if kind is Kind.CLASSES else np.zeros(len(ours), bool)
        far = divergence.reshape(len(ours), -1).mean(axis=1)
    sums.worst = _worst(sums.worst + _farthest(numbers, changed, far))


def _farthest(numbers: Array, changed: Array, far: Array) -> list[Apart]:
    """Pick the worst samples of a block, so that few become objects."""
    order = np.lexsort((-np.nan_to_num(far, nan=np.inf), ~changed))[:WORST]
    return [
        Apart(index=int(numbers[i]), is_other_class=bool(changed[i]), distance=float(far[i]))
        for i in order
        if changed[i] or far[i] != 0
    ]


def _worst(samples: list[Apart]) -> list[Apart]:
    def rank(sample: Apart) -> tuple[bool, float, int]:
        far = sample.distance if sample.distance == sample.distance else np.inf
        return not sample.is_other_class, -far, sample.index

    return sorted(samples, key=rank)[:WORST]
