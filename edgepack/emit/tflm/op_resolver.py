"""``op_resolver.h``: an op resolver with the operators that a model uses. C++17."""

from __future__ import annotations

from edgepack.core.errors import ModelError
from edgepack.emit.c.source_text import c_header
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.tflite.graph import Operator

_BUILTINS = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM
    DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL
    EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
    GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX
    REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT
    SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV
    UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
"""Builtin operators that TFLM registers with methods named like them: CONV_2D, AddConv2D()."""

_IRREGULAR = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
"""Registration methods whose names do not follow from the operator's."""

_CUSTOM = {
    "CIRCULAR_BUFFER": "AddCircularBuffer",
    "SignalDelay": "AddDelay",
    "SignalEnergy": "AddEnergy",
    "SignalFftAutoScale": "AddFftAutoScale",
    "SignalFilterBank": "AddFilterBank",
    "SignalFilterBankLog": "AddFilterBankLog",
    "SignalFilterBankSpectralSubtraction": "AddFilterBankSpectralSubtraction",
    "SignalFilterBankSquareRoot": "AddFilterBankSquareRoot",
    "SignalFramer": "AddFramer",
    "SignalIrfft": "AddIrfft",
    "SignalOverlapAdd": "AddOverlapAdd",
    "SignalPCAN": "AddPCAN",
    "SignalRfft": "AddRfft",
    "SignalStacker": "AddStacker",
    "SignalWindow": "AddWindow",
    "TFLM_DECODE": "AddDecode",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    "ethos-u": "AddEthosU",
}
"""Registration methods of TFLM's custom operators, and of the one that Vela writes (Ethos-U)."""

_BODY = """\
// Only the operators that the model uses, since each one takes up flash.
#define {macro}_OPERATORS {count}

using {name}_op_resolver = tflite::MicroMutableOpResolver<{macro}_OPERATORS>;

// Call this once per resolver, before creating the interpreter; TFLM prints any errors.
inline TfLiteStatus {name}_register_operators({name}_op_resolver &resolver) {{
{lines}
    return kTfLiteOk;
}}
"""

_LINE = "    if (resolver.{method}() != kTfLiteOk) return kTfLiteError;"


def op_resolver_h(model: FirmwareModel) -> str:
    """Write the header of a resolver with exactly a model's operators, in order of first use.

    Raises :class:`ModelError` for an operator that TFLM lacks, and for a model without operators.
    """
    methods = registration_methods(model)
    if not methods:
        raise ModelError("the model has no operators: it computes nothing")
    body = _BODY.format(
        macro=model.macro,
        name=model.name,
        count=len(methods),
        lines="\n".join(_LINE.format(method=method) for method in methods),
    )
    include = '"tensorflow/lite/micro/micro_mutable_op_resolver.h"'
    return c_header(f"{model.macro}_OP_RESOLVER_H", body, [include])


def registration_methods(model: FirmwareModel) -> list[str]:
    """List the methods of TFLM's resolver that register a model's operators, each method once."""
    operators = (operator for graph in model.model.subgraphs for operator in graph.operators)
    return list(dict.fromkeys(registration_method(operator) for operator in operators))


def registration_method(operator: Operator) -> str:
    """Name the method that registers an operator. Raises :class:`ModelError` if TFLM has none.

    >>> registration_method(Operator(name="CONV_2D", version=1, inputs=(), outputs=()))
    'AddConv2D'
    """
    name = operator.name
    if operator.is_custom:
        if name in _CUSTOM:
            return _CUSTOM[name]
        raise ModelError(
            f"custom operator {name!r}: TensorFlow Lite Micro has no kernel for it; build the "
            "layer from other operators, or write a kernel and register it with AddCustom() by hand"
        )
    if name in _BUILTINS.split():
        return _IRREGULAR.get(name) or f"Add{name.title().replace('_', '')}"
    raise ModelError(
        f"operator {name}: TensorFlow Lite Micro has no kernel for it; "
        "build the layer from other operators"
    )
