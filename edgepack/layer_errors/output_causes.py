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
    """Return the finding on an output whose scale loses channels; None if it loses none."""
    lost = lost_among(groups)
    if not lost or layout.step is None:
        return None
    return LayerFinding(
        cause="one scale for unlike channels",
        why=loss_in_words(name, lost, layout.step),
        cure=cure_of_loss(layout),
    )
