"""Channels of an output that are lost because they share a scale with others of another range.

A quantized tensor has one scale. If an output joins boxes of 0 to 366 pixels and scores of 0 to 1,
the boxes decide the scale, and one step of it is more than any score: all scores come out equal. An
SQNR over all values does not show it, since the boxes have nearly all of the power.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgepack.evaluation.paired_outputs import (
    MIN_SQNR_DB,
    Array,
    Mask,
    paired_blocks,
    ratio_in_decibels,
)
from edgepack.tflite.graph import Tensor
from edgepack.tflite.output_parts import OutputLayout, Region, whole

MAX_CHANNELS = 1024
"""A last axis with more values is not one of channels, but of time or space."""

FEW_STEPS = 16.0
"""Steps below which a range is under-resolved: four of the eight bits of int8 are lost."""

LOST_STEPS = 2.0
"""Steps below which hardly more than two values can be told apart."""

_GAP = 4.0  # two bits
_MIN_VALUES = 16  # fewer do not show a range
_VARIES = 1e-5  # of the magnitude; rounding in float32 makes a constant vary by less


@dataclass(frozen=True, kw_only=True)
class ChannelGroup:
    """Values of an output that its scale under-resolves.

    ``where`` names them, such as ``channels 4 to 13 of 14``; ``region`` has the first index and the
    end of each axis of a sample. ``low`` and ``high`` are the float model's extremes, and ``steps``
    is the number of steps of the output's scale that the values span, in the channel that spans
    most. ``sqnr_db`` is as in :class:`~edgepack.evaluation.scores.Score`, of these values only.
    ``is_lost``: the quantized values carry hardly any information; otherwise they are coarse.
    """

    where: str
    region: Region
    low: float
    high: float
    steps: float
    sqnr_db: float | None
    is_lost: bool


def compare_channels(
    float_outputs: Array,
    outputs: Array,
    tensor: Tensor | None,
    layout: OutputLayout,
    *,
    bounds: Array,
    by_channel: bool,
    mask: Mask | None = None,
) -> tuple[ChannelGroup, ...]:
    """Return the groups of values that the scale of an output under-resolves, in order.

    Arrays (samples, ...), ``tensor`` and ``mask`` are as in
    :func:`~edgepack.evaluation.paired_outputs.paired_blocks`; ``layout`` is that of the output,
    ``bounds`` the minimum and the maximum of the float outputs.

    Each part of the output is judged as a whole, as its values have one meaning: among the scores
    of a detector's classes, one that never fires is small and still well represented. Values from 0
    to 1 throughout have one meaning, too: they are probabilities. A part or output that is not lost
    as a whole is judged ``by_channel`` of its last axis, where those of 0 to 1 count as one, and
    only if the ranges of lost channels are separated from all others: by a factor of four, unlike
    those of the pixels of an image, some of which hardly vary.

    Values are lost that vary in the float model, but span fewer than :data:`LOST_STEPS`, or, among
    those that span fewer than :data:`FEW_STEPS`, are constant once quantized or have an SQNR below
    :data:`~edgepack.evaluation.paired_outputs.MIN_SQNR_DB`.
    """
    low, high = bounds
    if layout.step is None or layout.shape != float_outputs.shape[1:] or (low >= 0 and high <= 1):
        return ()
    regions = [part.region for part in layout.parts] or [whole(layout.shape)]
    figures = [_RegionFigures(region, layout.shape, by_channel=by_channel) for region in regions]
    if len(figures) == 1 and not figures[0].has_channels:
        return ()
    for _, float_block, block in paired_blocks(float_outputs, outputs, tensor, mask):
        for each in figures:
            each.add(float_block, block)
    return tuple(
        group for each in figures for group in each.groups(layout.step, is_part=len(figures) > 1)
    )


class _RegionFigures:
    """Figures of the channels of a region of an output, (channels,) each, over all samples.

    A region with too many channels counts as a single one.
    """

    def __init__(self, region: Region, shape: Sequence[int], *, by_channel: bool) -> None:
        self._region = region
        self._shape = shape
        first, end = region[-1]
        self._count = end - first if by_channel and end - first <= MAX_CHANNELS else 1
        self._values = 0
        self._lows, self._others_low = np.full((2, self._count), np.inf)
        self._highs, self._others_high = np.full((2, self._count), -np.inf)
        self._power, self._noise = np.zeros((2, self._count))

    @property
    def has_channels(self) -> bool:
        """Whether there are several channels to compare."""
        return self._count > 1

    def add(self, float_block: Array, block: Array) -> None:
        index = (slice(None), *(slice(first, end) for first, end in self._region))
        signal, other = (
            each[index].reshape(-1, self._count).astype(np.float64) for each in (float_block, block)
        )
        self._values += len(signal)
        self._lows = np.minimum(self._lows, signal.min(axis=0))
        self._highs = np.maximum(self._highs, signal.max(axis=0))
        self._others_low = np.minimum(self._others_low, other.min(axis=0))
        self._others_high = np.maximum(self._others_high, other.max(axis=0))
        self._power += np.square(signal).sum(axis=0)
        self._noise += np.square(signal - other).sum(axis=0)

    def groups(self, step: float, *, is_part: bool) -> Iterator[ChannelGroup]:
        """Yield the groups of under-resolved channels.

        ``is_part`` is whether the region is one of several in the output.
        """
        if self._values < _MIN_VALUES:
            return
        everything = range(self._count)
        if is_part:
            group = self._group(everything, step)
            if group and group.steps < FEW_STEPS:
                yield group
                return
        if self._count > 1:
            yield from self._lost_channels(step)

    def _lost_channels(self, step: float) -> Iterator[ChannelGroup]:
        are_scores = (self._lows >= 0) & (self._highs <= 1)
        units = [[channel] for channel in np.flatnonzero(~are_scores).tolist()]
        units += [np.flatnonzero(are_scores).tolist()] if are_scores.any() else []
        found = [(unit, group) for unit in units if (group := self._group(unit, step))]
        lost = [unit for unit, group in found if group.is_lost]
        finest = min((group.steps for _, group in found if not group.is_lost), default=0.0)
        coarsest = max((group.steps for _, group in found if group.is_lost), default=0.0)
        if not lost or finest < _GAP * coarsest:
            return
        for run in _runs(sorted(channel for unit in lost for channel in unit)):
            if group := self._group(run, step, is_lost=True):
                yield group

    def _group(
        self, channels: Sequence[int], step: float, *, is_lost: bool = False
    ) -> ChannelGroup | None:
        """Return the figures of the channels that vary in float, together; None if none does."""
        with np.errstate(invalid="ignore"):  # infinity - infinity
            extents = self._highs - self._lows
        varies = extents > _VARIES * np.maximum(np.abs(self._lows), np.abs(self._highs))
        at = [channel for channel in channels if varies[channel]]
        if not at:
            return None
        steps = float(extents[at].max()) / step
        sqnr_db = ratio_in_decibels(float(self._power[at].sum()), float(self._noise[at].sum()))
        is_constant = self._others_low[at].min() == self._others_high[at].max()
        is_noise = sqnr_db is not None and sqnr_db < MIN_SQNR_DB
        first, end = self._region[-1]
        if self._count > 1:
            first, end = first + channels[0], first + channels[-1] + 1
        region = (*self._region[:-1], (first, end))
        return ChannelGroup(
            where=region_in_words(region, self._shape),
            region=region,
            low=float(self._lows[at].min()),
            high=float(self._highs[at].max()),
            steps=steps,
            sqnr_db=sqnr_db,
            is_lost=is_lost
            or steps < LOST_STEPS
            or (steps < FEW_STEPS and bool(is_constant or is_noise)),
        )


def _runs(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Split ascending numbers into runs of consecutive ones.

    >>> list(_runs([1, 2, 3, 7, 9, 10]))
    [[1, 2, 3], [7], [9, 10]]
    """
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def region_in_words(region: Region, shape: Sequence[int]) -> str:
    """Name a region of samples of a shape, the last axis of which is that of channels.

    >>> region_in_words(((0, 64), (4, 14)), (64, 14))
    'channels 4 to 13 of 14'
    >>> region_in_words(((4, 84), (0, 8400)), (84, 8400))
    'rows 4 to 83 of 84 along axis 1'
    >>> region_in_words(((0, 8), (2, 3)), (16, 3))
    'channel 2 of 3 in rows 0 to 7 of 16 along axis 1'
    """
    last = len(shape)
    words = [
        _axis_in_words("channel" if axis == last else "row", span, size)
        + ("" if axis == last else f" along axis {axis}")
        for axis, (span, size) in enumerate(zip(region, shape, strict=True), start=1)
        if span != (0, size)
    ]
    return " in ".join(reversed(words)) or "all values"


def _axis_in_words(noun: str, span: tuple[int, int], size: int) -> str:
    first, end = span
    if end - first == 1:
        return f"{noun} {first} of {size}"
    return f"{noun}s {first} to {end - 1} of {size}"
