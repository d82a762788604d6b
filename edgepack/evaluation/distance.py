"""How far the outputs of two models are from each other, found by blocks of samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from edgepack.arrays import extremes
from edgepack.evaluation.pairs import Array, Mask, decibels, pairs
from edgepack.evaluation.probabilities import Histogram, divergences
from edgepack.evaluation.results import Distance
from edgepack.metrics import classes
from edgepack.types import Tensor

WORST = 12
"""So many samples are told at most."""


class Kind(str, Enum):
    """What an output holds: scores of classes, for a sample or each of its pixels, or values."""

    CLASSES = "classes"
    CLASS_MAP = "class map"
    VALUES = "values"


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A sample on which two models differ: its number, whether in class, and how far."""

    index: int
    is_other_class: bool
    distance: float


@dataclass(kw_only=True)
class _Sums:
    """What is gathered on the way through the samples."""

    float_bins: Histogram
    other_bins: Histogram
    same: int = 0
    decisions: int = 0
    divergence: float = 0.0
    power: float = 0.0
    noise: float = 0.0
    mean_error: float = 0.0
    max_error: float = 0.0
    values: int = 0
    worst: list[Apart] = field(default_factory=list)


def distance(
    float_outputs: Array,
    outputs: Array,
    tensor: Tensor | None,
    kind: Kind,
    boundary: float,
    mask: Mask | None = None,
) -> tuple[Distance, tuple[Apart, ...]]:
    """Compare outputs (samples, ...) with the float model's on the same samples.

    Takes them as :func:`~edgepack.evaluation.pairs.parts` does. Also gives the
    :data:`WORST` samples at most, those of another class first, then the farthest, then the first;
    samples on which the two give the same are none.

    The KL divergence is that of :func:`~edgepack.evaluation.probabilities.divergences`, mean over
    samples or pixels, or else that of the values' histograms: 128 equal bins over the
    range of the float outputs, the first and the last of which also count what is outside, and
    half a value more in each, so that it stays finite.
    """
    low, high = (float(end) for end in extremes(float_outputs))
    sums = _Sums(float_bins=Histogram(low, high), other_bins=Histogram(low, high))
    for samples, ours, theirs in pairs(float_outputs, outputs, tensor, mask):
        _add(sums, samples.numbers, ours, theirs, kind, boundary, _floor(tensor))
    has_classes = kind is not Kind.VALUES
    divergence = sums.float_bins.divergence(sums.other_bins)
    return Distance(
        agreement=sums.same / sums.decisions if has_classes else None,
        kl_divergence=sums.divergence / sums.decisions if has_classes else divergence,
        sqnr_db=decibels(sums.power, sums.noise),
        max_abs_error=sums.max_error,
        mean_abs_error=sums.mean_error,
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
    signal = ours.astype(np.float64)
    difference = signal - theirs
    squared = np.square(difference)
    sums.power += float(np.square(signal).sum())
    sums.noise += float(squared.sum())
    with np.errstate(over="ignore"):
        error = np.abs(theirs - ours)  # of the outputs' own precision, if that holds it
    _add_error(sums, error if np.isfinite(error).all() else np.abs(difference))
    if kind is Kind.VALUES:
        sums.float_bins.add(signal)
        sums.other_bins.add(theirs)
        changed = np.zeros(len(ours), bool)
        far = squared.reshape(len(ours), -1).mean(axis=1)
    else:
        differs = classes(ours, boundary) != classes(theirs, boundary)
        divergence = divergences(signal, theirs, are_logits=boundary == 0, floor=floor)
        sums.decisions += differs.size
        sums.same += int(np.count_nonzero(~differs))
        sums.divergence += float(divergence.sum())
        changed = differs if kind is Kind.CLASSES else np.zeros(len(ours), bool)
        far = divergence.reshape(len(ours), -1).mean(axis=1)
    sums.worst = _worst(sums.worst + _farthest(numbers, changed, far))


def _add_error(sums: _Sums, error: Array) -> None:
    """Count absolute differences."""
    sums.max_error = max(sums.max_error, float(error.max()))
    sums.values += error.size
    sums.mean_error += (float(error.mean()) - sums.mean_error) * (error.size / sums.values)


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
