"""Quantizes a float .tflite by any scheme, by calling the schemes' modules in order."""

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
from edgepack.quantization.io_types import convert_inputs_and_outputs
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.quantization.relu6 import rescale_before_relu6
from edgepack.tflite.graph import Graph
from edgepack.tflite.parser import read_tflite

_MATRIX_RANK = 2


def quantize_constants(float_tflite: bytes, settings: Quantization) -> bytes:
    """Quantize a float .tflite by a scheme that computes in float and needs no ranges.

    The scheme is float16 or dynamic-range.
    """
    is_in = _membership(float_tflite, settings)
    if settings.scheme == FLOAT16:
        return to_float16(float_tflite, is_in(FLOAT16))
    return quantize_weights(
        float_tflite,
        is_in(DYNAMIC_RANGE),
        per_tensor_dense=settings.is_dense_per_tensor(DYNAMIC_RANGE),
    )


def quantize_file(calibrated_tflite: bytes, settings: Quantization) -> bytes:
    """Quantize a float .tflite by a scheme that computes in integers. Needs TensorFlow.

    ``calibrated_tflite`` has the ranges in its tensors. Raises :class:`ConversionError` for
    operators that the scheme does not support.
    """
    is_in = _membership(calibrated_tflite, settings)
    graph = read_tflite(calibrated_tflite).main
    outputs = [graph.tensors[operator.outputs[0]].name for operator in graph.operators]
    tflite = quantize_int8(
        calibrated_tflite,
        in_float=[name for name in outputs if is_in(FLOAT)(name)],
        per_tensor_dense=_is_dense_per_tensor(settings, graph),
    )
    if any(map(is_in(INT4), outputs)):
        tflite = to_int4(
            tflite,
            calibrated_tflite,
            is_in(INT4),
            per_tensor_dense=settings.is_dense_per_tensor(INT4),
        )
    if any(map(is_in(INT16), outputs)):
        tflite = to_int16(
            tflite,
            calibrated_tflite,
            is_in(INT16),
            inputs=settings.inputs in ("int16", "float32"),
            outputs=settings.outputs in ("int16", "float32"),
        )
    tflite = rescale_before_relu6(tflite)
    return convert_inputs_and_outputs(tflite, settings.inputs, settings.outputs)


def _is_dense_per_tensor(settings: Quantization, graph: Graph) -> bool:
    """Whether the weights of dense layers have one scale per tensor, except in int4.

    In int16, tflite-runtime miscomputes per-channel dense layers with outputs of more than two
    dimensions, so per tensor is the default for models with such layers.
    """
    if settings.scheme != INT16 or settings.dense is not None:
        return settings.is_dense_per_tensor(INT16 if settings.scheme == INT16 else INT8)
    return any(
        operator.name == "FULLY_CONNECTED"
        and len(graph.tensors[operator.outputs[0]].shape) > _MATRIX_RANK
        for operator in graph.operators
    )


def _membership(
    float_tflite: bytes, settings: Quantization
) -> Callable[[str], Callable[[str], bool]]:
    """Return a function from a scheme to a predicate on the names of operators' first outputs."""
    assigned = assign_patterns(read_tflite(float_tflite).main, settings.scheme, settings.layers)
    # Operators that the quantizer adds are in the default scheme.
    return lambda scheme: lambda name: assigned.get(name, settings.scheme) == scheme
