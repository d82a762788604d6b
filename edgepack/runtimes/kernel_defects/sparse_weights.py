"""Defects of sparse weights."""

from __future__ import annotations

from edgepack.runtimes.kernel_defects.defect import Defect
from edgepack.runtimes.kernel_defects.operator_conditions import has_input_dtype

_DENSE = "convert without EXPERIMENTAL_SPARSITY: the zeros are kept"

DEFECTS = (
    Defect(
        what="sparse weights",
        cure=_DENSE,
        operators=("FULLY_CONNECTED",),
        condition=lambda call: any(tensor.is_sparse for tensor in call.inputs if tensor),
        wrong={"tflm": None},
    ),
    Defect(
        what="sparse int8 weights",
        cure=_DENSE,
        operators=("DENSIFY",),
        condition=has_input_dtype("int8"),
        refused={"litert": None},  # its reference kernels run it
    ),
)
