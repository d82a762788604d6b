"""Sentences on channels that are lost, or coarse, because they share a scale with others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgepack.evaluation.channels import ChannelGroup
from edgepack.tflite.output_parts import CONCATENATION, OutputLayout

OWN_OUTPUTS = "build the model with an output for each kind of value"

_MAX_NAMED = 3


def lost_among(groups: Iterable[ChannelGroup]) -> list[ChannelGroup]:
    """Return the groups that are lost."""
    return [group for group in groups if group.is_lost]


def loss_in_words(output: str, groups: Sequence[ChannelGroup], step: float) -> str:
    """Say what the scale of an output loses, the ``step`` of which is in its unit.

    ``groups`` are all lost, or all coarse.
    """
    named = [
        f"{group.where} from {group.low:.3g} to {group.high:.3g}" for group in groups[:_MAX_NAMED]
    ]
    more = len(groups) - len(named)
    ranges = ", ".join(named) + (f" and {more} more" if more else "")
    return (
        f"output {output}: {ranges} in the float model, but the output's only scale has steps of"
        f" {step:.3g}: these values are {'lost' if groups[0].is_lost else 'coarse'}"
    )


def cure_of_loss(layout: OutputLayout) -> str:
    """Return how to give the values of an output scales of their own."""
    if layout.operator != CONCATENATION:
        return OWN_OUTPUTS
    if layout.obstacle is None:
        return (
            f"{CONCATENATION} joins them: export or quantize with --split-outputs, or {OWN_OUTPUTS}"
        )
    return f"{CONCATENATION} joins them: {OWN_OUTPUTS}"


def worst_channels(found: Iterable[Sequence[ChannelGroup]]) -> str | None:
    """Return a clause on the group with the fewest steps of several interpreters' groups.

    None if there is none.
    """
    groups = [group for groups in found for group in groups]
    if not groups:
        return None
    worst = min(groups, key=lambda group: (not group.is_lost, group.steps))
    ratio = "" if worst.sqnr_db is None else f"SQNR {worst.sqnr_db:.1f} dB, "
    state = "lost" if worst.is_lost else "coarse"
    return f"{worst.where}: {ratio}{worst.steps:.2g} steps of the scale, {state}"
