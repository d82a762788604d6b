"""How far the outputs of two models are from each other, found by blocks of samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgepack.evaluation.kl_divergence import ScoreHistogram, divergences
from edgepack.evaluation.output_noise import Noise, OutputKind
from edgepack.evaluation.paired_outputs import Array, paired_blocks
from edgepack.evaluation.results import Distance
from edgepack.storage.arrays import extremes
from edgepack.tflite.graph import Tensor

WORST = 12
"""So many samples are told at most."""


@dataclass(frozen=True, kw_only=True)
class DistantSample:
    """A sample on which two models differ: its number, whether in class, and how far."""

    index: int
    is_other_class: bool
    distance: float


@dataclass(kw_only=True)
class _Sums:
    """What is gathered on the way through the samples."""

    noise: Noise
    float_bins: ScoreHistogram
    other_bins: ScoreHistogram
    divergence: float = 0.0
    worst: list[DistantSample] = field(default_factory=list)


def output_distance(
    float_outputs: Array,
    outputs: Array,
    tensor: Tensor | None,
    kind: OutputKind,
    boundary: float,
) -> tuple[Distance, tuple[DistantSample, ...]]:
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
    sums = _Sums(
        noise=noise, float_bins=ScoreHistogram(low, high), other_bins=ScoreHistogram(low, high)
    )
    for samples, ours, theirs in paired_blocks(float_outputs, outputs, tensor):
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
    kind: OutputKind,
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
        changed = differs if kind is OutputKind.CLASSES else np.zeros(len(ours), bool)
        far = divergence.reshape(len(ours), -1).mean(axis=1)
    sums.worst = _worst(sums.worst + _farthest(numbers, changed, far))


def _farthest(numbers: Array, changed: Array, far: Array) -> list[DistantSample]:
    """Pick the worst samples of a block, so that few become objects."""
    order = np.lexsort((-np.nan_to_num(far, nan=np.inf), ~changed))[:WORST]
    return [
        DistantSample(
            index=int(numbers[i]), is_other_class=bool(changed[i]), distance=float(far[i])
        )
        for i in order
        if changed[i] or far[i] != 0
    ]


def _worst(samples: list[DistantSample]) -> list[DistantSample]:
    def rank(sample: DistantSample) -> tuple[bool, float, int]:
        far = sample.distance if sample.distance == sample.distance else np.inf
        return not sample.is_other_class, -far, sample.index

    return sorted(samples, key=rank)[:WORST]
