"""Defects of operators that pass values on as integers although their scales differ."""

from __future__ import annotations

from edgepack.runtimes.kernel_defects.defect import Defect
from edgepack.runtimes.kernel_defects.operator_conditions import PHONES, REFERENCE_KERNELS
from edgepack.tflite.operator_calls import OperatorCall

_UNLIKE = "int8 or int16 inputs and outputs of unlike scales"
_BY_EDGEPACK = "quantize the float model with edgepack quantize, which gives them one scale"


def _has_unlike_scales(call: OperatorCall) -> bool:
    tensors = [*(tensor for tensor in call.inputs if tensor), *call.outputs]
    integers = [tensor for tensor in tensors if tensor.dtype in ("int8", "int16")]
    return len({(each.dtype, each.quant) for each in integers if each.quant}) > 1


def _is_refused_by_xnnpack(call: OperatorCall) -> bool:
    return call.operator.name == "MAX_POOL_2D" and call.dtype() == "int8"


DEFECTS = (
    # Its kernel clips integers between those of 0 and 6 (relu_common.cc, Relu6Quantized).
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("RELU6",),
        condition=_has_unlike_scales,
        wrong={"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("MAXIMUM", "MINIMUM"),
        condition=_has_unlike_scales,
        wrong=PHONES | REFERENCE_KERNELS | {"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("AVERAGE_POOL_2D", "MAX_POOL_2D"),
        condition=lambda call: _has_unlike_scales(call) and not _is_refused_by_xnnpack(call),
        wrong=PHONES | REFERENCE_KERNELS,
        refused={"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("MAX_POOL_2D",),
        condition=lambda call: _has_unlike_scales(call) and _is_refused_by_xnnpack(call),
        wrong={"tflite-runtime": None} | REFERENCE_KERNELS,
        refused={"litert": None, "tflm": None},
    ),
)
