"""The distance between the outputs of two models, and the samples on which they differ most."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgepack.evaluation.kl_divergence import ValueHistogram, kl_divergences
from edgepack.evaluation.output_noise import OutputKind, OutputNoise
from edgepack.evaluation.paired_outputs import Array, paired_blocks
from edgepack.evaluation.results import Distance
from edgepack.storage.arrays import min_and_max
from edgepack.tflite.graph import Tensor

MAX_WORST_SAMPLES = 12
"""Maximum number of worst samples to report."""


@dataclass(frozen=True, kw_only=True)
class DistantSample:
    """A sample on which two models differ: its index, whether in class, and by how much."""

    index: int
    differs_in_class: bool
    distance: float


@dataclass(kw_only=True)
class _Sums:
    """What is accumulated over the samples."""

    noise: OutputNoise
    float_bins: ValueHistogram
    other_bins: ValueHistogram
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

    ``outputs`` and ``tensor`` are as in :func:`~edgepack.evaluation.paired_outputs.real_blocks`.
    Also returns up to :data:`MAX_WORST_SAMPLES` samples: first those whose class differs, then by
    descending distance, then by index. Samples with equal outputs are not among them.

    The KL divergence is that of :func:`~edgepack.evaluation.kl_divergence.kl_divergences`, averaged
    over samples or pixels. For real values it is that of the values' histograms: 128 equal bins
    over the range of the float outputs, the first and the last of which also count values outside,
    with 0.5 added to each count so that the divergence is finite.
    """
    low, high = (float(extreme) for extreme in min_and_max(float_outputs))
    noise = OutputNoise(kind, boundary, tensor)
    sums = _Sums(
        noise=noise, float_bins=ValueHistogram(low, high), other_bins=ValueHistogram(low, high)
    )
    for samples, float_block, block in paired_blocks(float_outputs, outputs, tensor):
        _add(sums, samples.indices, float_block, block, kind, boundary, _floor(tensor))
    return Distance(
        agreement=noise.agreement,
        kl_divergence=sums.divergence / noise.decisions
        if noise.decisions
        else sums.float_bins.divergence(sums.other_bins),
        sqnr_db=noise.sqnr_db,
        max_abs_error=noise.max_abs_error,
        mean_abs_error=noise.mean_abs_error,
        collapse=noise.collapse,
    ), tuple(sums.worst)


def _floor(tensor: Tensor | None) -> float:
    """Return the largest probability that is quantized to 0: half a quantization step."""
    return tensor.quant.scale[0] / 2 if tensor is not None and tensor.quant is not None else 0.0


def _add(
    sums: _Sums,
    indices: Array,
    float_block: Array,
    block: Array,
    kind: OutputKind,
    boundary: float,
    floor: float,
) -> None:
    """Add a block of samples with these ``indices`` in the dataset."""
    signal, squared, differs = sums.noise.add(float_block, block)
    if differs is None:
        sums.float_bins.add(signal)
        sums.other_bins.add(block)
        class_differs = np.zeros(len(block), bool)
        distances = squared.reshape(len(block), -1).mean(axis=1)
    else:
        divergence = kl_divergences(signal, block, are_logits=boundary == 0, floor=floor)
        sums.divergence += float(divergence.sum())
        class_differs = differs if kind is OutputKind.CLASSES else np.zeros(len(block), bool)
        distances = divergence.reshape(len(block), -1).mean(axis=1)
    sums.worst = _worst(sums.worst + _worst_of_block(indices, class_differs, distances))


def _worst_of_block(indices: Array, class_differs: Array, distances: Array) -> list[DistantSample]:
    """Select the worst samples of a block, so that objects are made for few samples only."""
    order = np.lexsort((-np.nan_to_num(distances, nan=np.inf), ~class_differs))[:MAX_WORST_SAMPLES]
    return [
        DistantSample(
            index=int(indices[i]),
            differs_in_class=bool(class_differs[i]),
            distance=float(distances[i]),
        )
        for i in order
        if class_differs[i] or distances[i] != 0
    ]


def _worst(samples: list[DistantSample]) -> list[DistantSample]:
    def rank(sample: DistantSample) -> tuple[bool, float, int]:
        distance = sample.distance if sample.distance == sample.distance else np.inf  # NaN is worst
        return not sample.differs_in_class, -distance, sample.index

    return sorted(samples, key=rank)[:MAX_WORST_SAMPLES]
