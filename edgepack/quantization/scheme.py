"""From a float .tflite to any scheme: which files of this package act, and in which order."""

from __future__ import annotations

from collections.abc import Callable

from edgepack.config.quantization import (
    DYNAMIC_RANGE,
    FLOAT,
    FLOAT16,
    INT4,
    INT8,
    INT16,
    Quantization,
)
from edgepack.quantization.dynamic_range import quantize_weights
from edgepack.quantization.float16 import to_float16
from edgepack.quantization.int4 import to_int4
from edgepack.quantization.int8 import quantize_int8
from edgepack.quantization.int16 import to_int16
from edgepack.quantization.io_types import change_ends
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.tflite.graph import Graph
from edgepack.tflite.parser import read_tflite

_MATRIX = 2


def quantize_constants(float_tflite: bytes, settings: Quantization) -> bytes:
    """Quantize a float .tflite by a scheme that computes in float: no ranges are needed."""
    is_in = _assigned(float_tflite, settings)
    if settings.scheme == FLOAT16:
        return to_float16(float_tflite, is_in(FLOAT16))
    return quantize_weights(
        float_tflite,
        is_in(DYNAMIC_RANGE),
        per_tensor_dense=settings.is_dense_per_tensor(DYNAMIC_RANGE),
    )


def quantize_file(float_tflite: bytes, calibrated_tflite: bytes, settings: Quantization) -> bytes:
    """Quantize a float .tflite by a scheme that computes in integers. It needs TensorFlow.

    ``calibrated_tflite`` is the same model with the ranges in its tensors. Raises
    :class:`ConversionError` for what the scheme does not have.
    """
    is_in = _assigned(float_tflite, settings)
    graph = read_tflite(float_tflite).main
    made = [graph.tensors[operator.outputs[0]].name for operator in graph.operators]
    tflite = quantize_int8(
        calibrated_tflite,
        in_float=[name for name in made if is_in(FLOAT)(name)],
        per_tensor_dense=_is_dense_per_tensor(settings, graph),
    )
    if any(map(is_in(INT4), made)):
        tflite = to_int4(
            tflite,
            float_tflite,
            is_in(INT4),
            per_tensor_dense=settings.is_dense_per_tensor(INT4),
        )
    if any(map(is_in(INT16), made)):
        tflite = to_int16(
            tflite,
            float_tflite,
            is_in(INT16),
            inputs=settings.inputs in ("int16", "float32"),
            outputs=settings.outputs in ("int16", "float32"),
        )
    return change_ends(tflite, settings.inputs, settings.outputs)


def _is_dense_per_tensor(settings: Quantization, graph: Graph) -> bool:
    """Whether one scale serves all outputs of a dense layer, int4 apart.

    In int16 tflite-runtime computes others wrongly where they give more than two dimensions.
    """
    if settings.scheme != INT16 or settings.dense is not None:
        return settings.is_dense_per_tensor(INT16 if settings.scheme == INT16 else INT8)
    return any(
        operator.name == "FULLY_CONNECTED"
        and len(graph.tensors[operator.outputs[0]].shape) > _MATRIX
        for operator in graph.operators
    )


def _assigned(
    float_tflite: bytes, settings: Quantization
) -> Callable[[str], Callable[[str], bool]]:
    """Tell for each scheme whether an operator, by the name of its first output, is in it."""
    assigned = assign_patterns(read_tflite(float_tflite).main, settings.scheme, settings.layers)
    # What the quantizer added goes with the rest.
    return lambda scheme: lambda name: assigned.get(name, settings.scheme) == scheme
