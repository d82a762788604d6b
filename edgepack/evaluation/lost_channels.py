"""Sentences on channels that are lost, or coarse, because they share a scale with others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.paired_outputs import MIN_SQNR_DB
from edgepack.tflite.output_parts import OutputLayout

OWN_OUTPUTS = "build the model with an output for each kind of value"

_MAX_NAMED = 3


def lost_among(groups: Iterable[ChannelGroup]) -> list[ChannelGroup]:
    """Return the groups that are lost."""
    return [group for group in groups if group.is_lost]


def loss_in_words(output: str, groups: Sequence[ChannelGroup], step: float) -> str:
    """Say what the scale of an output loses, the ``step`` of which is in its unit.

    ``groups`` are all lost, or all coarse.
    """
    named = [f"{group.where}, {_span(group, step)}" for group in groups[:_MAX_NAMED]]
    more = len(groups) - len(named)
    ranges = "; ".join(named) + (f" and {more} more" if more else "")
    return (
        f"output {output}: {ranges} in the float model, but the output's only scale has steps of"
        f" {step:.3g}: these values are {_STATES_IN_WORDS[_worst_state(groups)]}"
    )


def _span(group: ChannelGroup, step: float) -> str:
    """Write the extremes with as many digits, at least three, as show that they differ.

    The span of a channel, if those of the group are apart by more.
    """
    if group.high - group.low > 2 * group.steps * step:
        return f"each within {group.steps * step:.3g}"
    magnitude, extent = max(abs(group.low), abs(group.high)), group.high - group.low
    digits = 3 + max(0, math.ceil(math.log10(magnitude / extent)) - 1)
    return f"{group.low:.{digits}g} to {group.high:.{digits}g}"


def cure_of_loss(layout: OutputLayout) -> str:
    """Return how to give the values of an output scales of their own."""
    if not layout.is_joined:
        return OWN_OUTPUTS
    joins = f"{layout.operator} joins them"
    if layout.pieces.obstacle is None:
        return f"{joins}: export or quantize with --split-outputs, or {OWN_OUTPUTS}"
    if mixers := layout.pieces.mixers:
        moved = " and ".join(mixers)
        return (
            f"{joins}: move {moved} before {layout.operator} in the model, and use --split-outputs,"
            f" or {OWN_OUTPUTS}"
        )
    return f"{joins}: {OWN_OUTPUTS}"


def worst_channels(found: Iterable[Sequence[ChannelGroup]]) -> str | None:
    """Return a clause on the group with the fewest steps of several interpreters' groups.

    None if there is none.
    """
    groups = [group for groups in found for group in groups]
    if not groups:
        return None
    worst = min(groups, key=lambda group: (not group.is_lost, group.steps))
    ratio = "" if worst.sqnr_db is None else f"SQNR {worst.sqnr_db:.1f} dB, "
    return f"{worst.where}: {ratio}{worst.steps:.2g} steps of the scale, {_worst_state([worst])}"


def _worst_state(groups: Sequence[ChannelGroup]) -> str:
    """Return the state of groups that are all lost, or all coarse."""
    if not groups[0].is_lost:
        return "coarse"
    return "nearly lost" if all(map(_shows_two_values, groups)) else "lost"


def _shows_two_values(group: ChannelGroup) -> bool:
    """Whether a group that is lost is neither constant nor noise."""
    has_signal = group.sqnr_db is not None and group.sqnr_db >= MIN_SQNR_DB
    return has_signal and group.steps >= 1


_STATES_IN_WORDS = {
    "coarse": "coarse",
    "nearly lost": "nearly lost, hardly more than two can be told apart",
    "lost": "lost",
}
