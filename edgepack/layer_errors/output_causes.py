"""The cause of an output's error that layers do not show: channels that share a scale."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.lost_channels import cure_of_loss, loss_in_words, lost_among
from edgepack.layer_errors.result import LayerFinding
from edgepack.tflite.output_parts import OutputLayout


def diagnose_output(
    name: str, groups: Sequence[ChannelGroup], layout: OutputLayout
) -> LayerFinding | None:
    """Return the finding on an output whose scale loses or under-resolves channels, if it does."""
    if not groups or layout.step is None:
        return None
    lost = lost_among(groups)
    coarse = [group for group in groups if not group.is_lost]
    sentences = [loss_in_words(name, each, layout.step) for each in (lost, coarse) if each]
    return LayerFinding(
        cause="one scale for unlike channels",
        why="; ".join(sentences),
        cure=cure_of_loss(layout),
    )
