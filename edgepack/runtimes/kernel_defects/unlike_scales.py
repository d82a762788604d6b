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
    return call.operator.name in ("MAX_POOL_2D", *_IN_XNNPACK) and call.dtype() == "int8"


_IN_XNNPACK = ("PAD", "SLICE", "STRIDED_SLICE", "TRANSPOSE")
_OF_ANY_KERNEL = (
    *("BROADCAST_TO", "MAXIMUM", "MINIMUM", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR"),
    *("REVERSE_V2", "SQUEEZE", "TILE"),
)

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
        operators=_OF_ANY_KERNEL,
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
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=_IN_XNNPACK,
        condition=lambda call: _has_unlike_scales(call) and not _is_refused_by_xnnpack(call),
        wrong=PHONES | REFERENCE_KERNELS | {"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=_IN_XNNPACK,
        condition=lambda call: _has_unlike_scales(call) and _is_refused_by_xnnpack(call),
        wrong={"tflite-runtime": None} | REFERENCE_KERNELS | {"tflm": None},
        refused={"litert": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("REDUCE_MAX", "REDUCE_MIN"),
        condition=lambda call: _has_unlike_scales(call) and call.dtype() == "int8",
        wrong={"litert": None},
        refused={"tflite-runtime": None} | REFERENCE_KERNELS | {"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("CONCATENATION",),
        condition=lambda call: _has_unlike_scales(call) and call.dtype() == "int8",
        refused=PHONES | REFERENCE_KERNELS | {"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("CONCATENATION",),
        condition=lambda call: _has_unlike_scales(call) and call.dtype() == "int16",
        wrong=PHONES | REFERENCE_KERNELS | {"tflm": None},
    ),
    Defect(
        what=_UNLIKE,
        cure=_BY_EDGEPACK,
        operators=("EXPAND_DIMS", "PACK"),
        condition=_has_unlike_scales,
        wrong={"tflm": None},
        refused=PHONES | REFERENCE_KERNELS,
    ),
)
