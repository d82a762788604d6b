"""Known kernel defects: what interpreters reject, or compute wrongly without reporting an error.

The versions of operators that an interpreter registers do not show these. Each was measured on
releases from 2021 to 2026 (LiteRT 1.0 to 2.3, tflite-runtime 2.7 to 2.14, TFLM of 2023-10 to
2026-10): one operator by itself, its outputs compared with the same computation in float64. Where
a release is named as fixed, one shortly before it was measured too.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.runtimes.kernel_defects import (
    float_activations,
    int16_activations,
    low_bit_weights,
    other_operators,
    per_channel_dense,
    sparse_weights,
    unlike_scales,
)
from edgepack.runtimes.kernel_defects.defect import MIXED, PER_CHANNEL, Defect, Lack
from edgepack.tflite.operator_calls import OperatorCall

__all__ = ["DEFECTS", "MIXED", "PER_CHANNEL", "Defect", "Lack", "defects_of"]

DEFECTS: tuple[Defect, ...] = (
    *float_activations.DEFECTS,
    *sparse_weights.DEFECTS,
    *per_channel_dense.DEFECTS,
    *int16_activations.DEFECTS,
    *low_bit_weights.DEFECTS,
    *unlike_scales.DEFECTS,
    *other_operators.DEFECTS,
)
"""All known defects; reports list findings in this order."""


def defects_of(call: OperatorCall) -> Iterator[Defect]:
    """Yield the defects that an operator has on any interpreter, in any release."""
    return (defect for defect in DEFECTS if defect.matches(call))
