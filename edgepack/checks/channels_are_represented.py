"""Check that no part of an output is lost to the scale that it shares with the others."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.checks.locations import listed
from edgepack.config.quantization import INT16, Quantization
from edgepack.core.findings import Finding
from edgepack.devices.scheme_support import why_unsupported
from edgepack.devices.target import Target
from edgepack.evaluation.lost_channels import cure_of_loss, loss_in_words
from edgepack.runtimes import TFLM
from edgepack.tflite.graph import Tensor
from edgepack.tflite.output_parts import OutputLayout, output_layouts


def channels_are_represented(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Every channel of an output that varies in the float model varies in the quantized one.

    Channels that share a scale with others of a far wider range are lost, such as scores of 0 to 1
    beside boxes of 0 to 366: one step of the scale is more than all of their values.
    """
    graph = evidence.model.main
    for (name, found), tensor, layout in zip(
        evidence.channels.items(), graph.output_tensors, output_layouts(graph), strict=True
    ):
        groups = next((found[each] for each in target.interpreters if each in found), ())
        for is_lost in (True, False):
            alike = [group for group in groups if group.is_lost == is_lost]
            if alike and layout.step is not None:
                yield Finding(
                    message=loss_in_words(name, alike, layout.step),
                    cure=cure_of_loss(layout) + _more_bits(target, tensor, layout),
                    operator=layout.operator,
                    layer=listed(dict.fromkeys(part.layer for part in layout.parts)),
                    is_note=not is_lost,
                )


def _more_bits(target: Target, tensor: Tensor, layout: OutputLayout) -> str:
    """Return the cure by more bits: for an output of 8 that cannot be split, on phones and boards.

    TensorFlow Lite Micro rounds some int16 operators otherwise than the reference kernels.
    """
    wider = Quantization(scheme=INT16)
    if (
        layout.pieces.obstacle is None
        or tensor.dtype not in ("int8", "uint8")
        or TFLM.name in target.interpreters
        or any(why_unsupported(wider, interpreter) for interpreter in target.interpreters)
    ):
        return ""
    return ", or quantize with --scheme int16"
