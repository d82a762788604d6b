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
from edgepack.metrics import are_probabilities
from edgepack.storage.arrays import blocks
from edgepack.tflite.graph import Tensor
from edgepack.tflite.output_parts import OutputLayout, OutputPart
from edgepack.tflite.output_pieces import Region, region_of

MAX_CHANNELS = 1024
"""An axis with more values is not one of channels, but of time or space."""

FEW_STEPS = 16.0
"""Steps below which a range is under-resolved: four of the eight bits of int8 are lost."""

LOST_STEPS = 2.0
"""Steps below which hardly more than two values can be told apart."""

_MANY = 16
"""Channels above which an output is taken for an image, a spectrum or the like."""

_GAP = 4.0  # two bits
_INT8_STEPS = 255
_MIN_VALUES = 5
"""Values that show the range of a channel: fewer may be alike by chance."""

_VARIES = 1e-5  # of the magnitude; rounding in float32 makes a constant vary by less


@dataclass(frozen=True, kw_only=True)
class ChannelGroup:
    """Values of an output that its scale under-resolves.

    ``where`` names them, such as ``channels 4 to 13 (of 14, from 0)``; ``region`` has the first
    index and the end of each axis of a sample, of the smallest block that has them all. ``low`` and
    ``high`` are the float model's extremes, and ``steps`` is the number of steps of the output's
    scale that the values span, in the channel that spans most, with what more samples are expected
    to span. ``sqnr_db`` is as in :class:`~edgepack.evaluation.scores.Score`, of these values only.
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

    Each part of the output, wherever the values of it lie, is judged as a whole, as they have one
    meaning: among the scores of a detector's classes, one that never fires is small and still well
    represented. Values from 0 to 1 throughout have one meaning, too: they are probabilities, but
    for a part of a joined output that no sigmoid or softmax computes. A part or output that is not
    lost as a whole is judged ``by_channel`` of what computes it, where those of 0 to 1 count as
    one. If there are more than 16 channels, the ranges of lost ones must be separated from all
    others by a factor of four: unlike those of the pixels of an image, some of which hardly vary.

    Values are lost that vary in the float model, but span fewer than :data:`LOST_STEPS`, or, among
    those that span fewer than :data:`FEW_STEPS`, are constant once quantized or have an SQNR below
    :data:`~edgepack.evaluation.paired_outputs.MIN_SQNR_DB`.
    """
    if layout.step is None or layout.shape != float_outputs.shape[1:]:
        return ()
    parts = list(layout.parts)
    if are_probabilities(bounds):
        parts = [part for part in parts if layout.is_joined and not part.is_probability]
    figures = [_PartFigures(layout, part, by_channel=by_channel) for part in parts]
    if not figures or (not layout.is_joined and not figures[0].has_channels):
        return ()
    for _, float_block, block in paired_blocks(float_outputs, outputs, tensor, mask):
        for each in figures:
            each.add(float_block, block)
    return tuple(
        group for each in figures for group in each.groups(layout.step, is_part=layout.is_joined)
    )


def have_unlike_ranges(outputs: Array) -> bool:
    """Whether the columns of outputs (samples, columns) vary by magnitudes that differ.

    So much that a scale for one of them under-resolves another: they are not the scores of classes,
    but values of several meanings. Columns that are constant count for nothing.
    """
    columns = outputs.shape[1]
    lows, highs = np.full(columns, np.inf), np.full(columns, -np.inf)
    for _, (block,) in blocks(outputs):
        lows, highs = np.minimum(lows, block.min(axis=0)), np.maximum(highs, block.max(axis=0))
    extents = _varying_extents(lows, highs)
    extents = extents[extents > 0]
    return bool(extents.size and extents.max() > extents.min() * _INT8_STEPS / FEW_STEPS)


def _varying_extents(lows: Array, highs: Array) -> Array:
    """Return how much values vary; 0 for constants, but for rounding."""
    with np.errstate(invalid="ignore"):  # infinity - infinity
        extents = highs - lows
        varies = extents > _VARIES * np.maximum(np.abs(lows), np.abs(highs))
    return np.where(varies, extents, 0.0)


class _PartFigures:
    """Figures of the channels of a part of an output, (channels,) each, over all samples.

    A part with too many channels counts as a single one.
    """

    def __init__(self, layout: OutputLayout, part: OutputPart, *, by_channel: bool) -> None:
        self._layout, self._part = layout, part
        source = part.source
        is_one = not by_channel or source.period > MAX_CHANNELS
        origins = layout.origins.ravel()
        places = np.flatnonzero(source.holds(origins))
        channels = (origins[places] - source.first) % (1 if is_one else source.period)
        self._places = places[np.argsort(channels, kind="stable")]
        self._numbers, counts = np.unique(channels, return_counts=True)
        self._ends = np.cumsum(counts)
        self._starts = self._ends - counts
        self._most, self._samples = int(counts.max()), 0
        count = len(counts)
        self._lows, self._others_low = np.full((2, count), np.inf)
        self._highs, self._others_high = np.full((2, count), -np.inf)
        self._power, self._noise = np.zeros((2, count))

    @property
    def has_channels(self) -> bool:
        """Whether there are several channels to compare."""
        return len(self._numbers) > 1

    def add(self, float_block: Array, block: Array) -> None:
        signal, other = (
            each.reshape(len(each), -1)[:, self._places].astype(np.float64)
            for each in (float_block, block)
        )
        self._samples += len(signal)
        for low, high, values in (
            (self._lows, self._highs, signal),
            (self._others_low, self._others_high, other),
        ):
            np.minimum(low, np.minimum.reduceat(values.min(axis=0), self._starts), out=low)
            np.maximum(high, np.maximum.reduceat(values.max(axis=0), self._starts), out=high)
        self._power += np.add.reduceat(np.square(signal).sum(axis=0), self._starts)
        self._noise += np.add.reduceat(np.square(signal - other).sum(axis=0), self._starts)

    def groups(self, step: float, *, is_part: bool) -> Iterator[ChannelGroup]:
        """Yield the groups of under-resolved channels.

        ``is_part`` is whether the output has several parts.
        """
        if self._samples * self._most < _MIN_VALUES:
            return
        if is_part:
            group = self._group(range(len(self._numbers)), step)
            if group and group.steps < FEW_STEPS:
                yield group
                return
        if self.has_channels:
            yield from self._lost_channels(step)

    def _lost_channels(self, step: float) -> Iterator[ChannelGroup]:
        are_scores = (self._lows >= 0) & (self._highs <= 1)
        units = [[channel] for channel in np.flatnonzero(~are_scores).tolist()]
        units += [np.flatnonzero(are_scores).tolist()] if are_scores.any() else []
        found = [(unit, group) for unit in units if (group := self._group(unit, step))]
        lost = [unit for unit, group in found if group.is_lost]
        finest = min((group.steps for _, group in found if not group.is_lost), default=np.inf)
        coarsest = max((group.steps for _, group in found if group.is_lost), default=0.0)
        if not lost or (len(self._numbers) > _MANY and finest < _GAP * coarsest):
            return
        for run in _runs(sorted(channel for unit in lost for channel in unit)):
            if group := self._group(run, step, is_lost=True):
                yield group

    def _group(
        self, channels: Sequence[int], step: float, *, is_lost: bool = False
    ) -> ChannelGroup | None:
        """Return the figures of the channels that vary in float, together; None if none does."""
        extents = _varying_extents(self._lows, self._highs) * self._unseen
        at = [channel for channel in channels if extents[channel] > 0]
        if not at:
            return None
        steps = float(extents[at].max()) / step
        sqnr_db = ratio_in_decibels(float(self._power[at].sum()), float(self._noise[at].sum()))
        is_constant = self._others_low[at].min() == self._others_high[at].max()
        is_noise = sqnr_db is not None and sqnr_db < MIN_SQNR_DB
        places = self._places[self._starts[channels[0]] : self._ends[channels[-1]]]
        region, is_full = region_of(places, self._layout.shape)
        return ChannelGroup(
            where=region_in_words(region, self._layout.shape)
            if is_full
            else self._in_words(channels, len(places)),
            region=region,
            low=float(self._lows[at].min()),
            high=float(self._highs[at].max()),
            steps=steps,
            sqnr_db=sqnr_db,
            is_lost=is_lost
            or steps < LOST_STEPS
            or (steps < FEW_STEPS and bool(is_constant or is_noise)),
        )

    @property
    def _unseen(self) -> float:
        """The expected range of a uniform distribution, as a fraction of that of the samples."""
        values = self._samples * self._most
        return (values + 1) / (values - 1)

    def _in_words(self, channels: Sequence[int], values: int) -> str:
        """Name channels that are no region of the output by the layer that computes them."""
        layer, period = self._part.layer, self._part.source.period
        count = f"({values:,} of {self._layout.origins.size:,} values)"
        if len(channels) == len(self._numbers):
            return f"the part of {layer} {count}"
        span = int(self._numbers[channels[0]]), int(self._numbers[channels[-1]]) + 1
        return f"{_axis_in_words('channel', span, period)} of {layer} {count}"


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
    'channels 4 to 13 (of 14, from 0)'
    >>> region_in_words(((4, 84), (0, 8400)), (84, 8400))
    'rows 4 to 83 (of 84, from 0) along axis 1'
    >>> region_in_words(((0, 8), (2, 3)), (16, 3))
    'channel 2 (of 3, from 0) in rows 0 to 7 (of 16, from 0) along axis 1'
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
    which = f"{noun} {first}" if end - first == 1 else f"{noun}s {first} to {end - 1}"
    return f"{which} (of {size}, from 0)"
