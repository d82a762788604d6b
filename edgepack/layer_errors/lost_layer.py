"""The layer in which the outputs of a quantized model collapse."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.paired_outputs import MIN_SQNR_DB
from edgepack.layer_errors.result import LayerFigures


def find_lost_layer(layers: Sequence[LayerFigures]) -> CollapseOrigin | None:
    """Return the first layer, in the order of execution, that is below :data:`MIN_SQNR_DB`.

    None if no layer is: then the outputs collapse in another way than by noise.
    """
    for each in layers:
        sqnr = each.sqnr_db["total"]
        if sqnr is not None and sqnr < MIN_SQNR_DB:
            return CollapseOrigin(layer=each.name, operator=each.operator, sqnr_db=sqnr)
    return None
