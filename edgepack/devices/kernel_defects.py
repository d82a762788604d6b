"""What interpreters refuse, or compute wrongly without a word, whatever versions they register.

Each was run on releases of the interpreters from 2021 to 2026: one operator by itself, its outputs
held against the same sums in float64. Where a release is named, one shortly before was run too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from edgepack.config.quantization import DYNAMIC_RANGE, FLOAT16, INT4, INT16
from edgepack.devices.op_registry import version_key
from edgepack.runtimes import REFERENCE
from edgepack.tflite.operator_calls import OperatorCall

PER_CHANNEL = "with per-channel dense layers"
MIXED = "int16 beside int8"
"""What a quantization may ask of an interpreter besides its scheme."""

_Until = Mapping[str, str | None]


@dataclass(frozen=True)
class Lack:
    """The ``feature`` of a quantization that an interpreter does not run, and why.

    A feature is a scheme, or one with :data:`PER_CHANNEL`, or :data:`MIXED`.
    """

    feature: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Defect:
    """Operators that some interpreters do not compute as the file says.

    ``what`` completes "CONV_2D with ...". ``wrong`` maps interpreters that compute them wrongly,
    without a word, to the first release that does not; None if there is none. ``refused`` maps
    those that refuse them, or crash. Interpreters are named as in :mod:`edgepack.runtimes`, among
    them tflite-runtime's reference kernels. Without ``operators`` all are meant that the rule
    ``holds`` for. ``lack`` names the quantization by which edgepack itself makes such operators.
    """

    what: str
    cure: str
    operators: tuple[str, ...] = ()
    holds: Callable[[OperatorCall], bool]
    wrong: _Until = field(default_factory=dict)
    refused: _Until = field(default_factory=dict)
    lack: Lack | None = None

    def is_in(self, use: OperatorCall) -> bool:
        """Whether an operator is one of these."""
        return (not self.operators or use.operator.name in self.operators) and self.holds(use)

    def is_wrong_in(self, interpreter: str, release: str) -> bool:
        """Whether a release of an interpreter computes them wrongly."""
        return _lasts(self.wrong, interpreter, release)

    def is_refused_by(self, interpreter: str, release: str) -> bool:
        """Whether a release of an interpreter refuses them, or crashes."""
        return _lasts(self.refused, interpreter, release)

    def is_in_every_release(self, interpreter: str) -> bool:
        """Whether no release of an interpreter computes them rightly."""
        return any(each.get(interpreter, "") is None for each in (self.wrong, self.refused))

    def cured_in(self, interpreter: str) -> str | None:
        """Name the first release that computes them rightly of an interpreter that has not always.

        None if no release does.
        """
        if self.is_in_every_release(interpreter):
            return None
        until = (each.get(interpreter) for each in (self.wrong, self.refused))
        return max(filter(None, until), key=version_key)


def _lasts(until: _Until, interpreter: str, release: str) -> bool:
    if interpreter not in until:
        return False
    cured = until[interpreter]
    return cured is None or version_key(release) < version_key(cured)


def _has(activations: str, weights: str) -> Callable[[OperatorCall], bool]:
    return lambda use: (use.dtype(), use.dtype(1)) == (activations, weights)


def _by_channel(
    *activations: str, weights: str, matrix: bool = True
) -> Callable[[OperatorCall], bool]:
    """Whether weights have a scale for each output, which are more than a matrix if not that."""
    return lambda use: (
        use.dtype() in activations
        and use.dtype(1) == weights
        and use.is_per_channel(1)
        and (matrix or any(len(tensor.shape) > _MATRIX for tensor in use.outputs))
    )


def _is_hybrid(use: OperatorCall) -> bool:
    weights = [tensor for tensor in use.inputs if tensor and tensor.is_constant]
    return use.gives == "float32" and any(tensor.dtype in _INTEGERS for tensor in weights)


def _is_asymmetric(use: OperatorCall) -> bool:
    tensors = [*(tensor for tensor in use.inputs if tensor), *use.outputs]
    return any(
        tensor.dtype == "int16" and tensor.quant and any(tensor.quant.zero_point)
        for tensor in tensors
    )


def _is_biased_in_int32(use: OperatorCall) -> bool:
    return (use.dtype(), use.dtype(2)) == ("int16", "int32")


def _takes(dtype: str) -> Callable[[OperatorCall], bool]:
    return lambda use: any(tensor.dtype == dtype for tensor in use.inputs if tensor)


def _has_lost_its_axis(use: OperatorCall) -> bool:
    return any(
        tensor.quant.axis is not None and tensor.quant.axis >= len(tensor.shape) > 0
        for tensor in use.inputs
        if tensor and tensor.quant
    )


_MATRIX = 2  # dimensions
_INTEGERS = ("int2", "int4", "int8", "uint8")
_INT32 = 2  # of TensorType, as the option quantized_bias_type says it
_REFERENCE = {REFERENCE.name: None}
_PHONES = dict.fromkeys(("litert", "tflite-runtime"))
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")

_INT8 = "quantize to int8: edgepack quantize --scheme int8"
_INT8_WEIGHTS = "keep weights in int8"
_INT16_BY_EDGEPACK = "quantize with edgepack quantize --scheme int16"
_PER_TENSOR = "quantize with --dense per-tensor"
_DENSE = "convert without EXPERIMENTAL_SPARSITY: zeros stay where they are"

_EACH_OUTPUT = "weights of a scale for each output"
_NO_MATRIX = "and an output of more than two dimensions"
_ZERO_POINT = "int16 tensors of a zero point other than 0"
_INT32_BIAS = "int16 activations and an int32 bias"

DEFECTS = (
    Defect(
        what="float activations and integer weights (hybrid, as dynamic range makes it)",
        cure="quantize activations too: edgepack quantize --scheme int8",
        operators=(
            *(*_CONVOLUTIONS, "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL", "SVDF"),
            *("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
        ),
        holds=_is_hybrid,
        refused={"tflm": None},
        lack=Lack(DYNAMIC_RANGE, "it has no kernels for int8 weights with float activations"),
    ),
    Defect(
        what="float activations and int8 weights",
        cure=_INT8,
        operators=("TRANSPOSE_CONV",),
        holds=lambda use: use.gives == "float32" and use.dtype(1) == "int8",
        refused={"tflite-runtime": None},
    ),
    Defect(
        what="float activations and int8 weights of one scale",
        cure="give each channel a scale",
        operators=("DEPTHWISE_CONV_2D",),
        holds=lambda use: _has("float32", "int8")(use) and not use.is_per_channel(1),
        refused=_PHONES,
    ),
    # FULLY_CONNECTED of version 12, which files may not say that they need.
    Defect(
        what=f"float activations and int8 {_EACH_OUTPUT}",
        cure=_PER_TENSOR,
        operators=("FULLY_CONNECTED",),
        holds=_by_channel("float32", weights="int8"),
        wrong=_REFERENCE,
    ),
    Defect(
        what="a scale for each channel",
        cure="quantize activations too, or give weights one scale",
        operators=("DEQUANTIZE",),
        holds=lambda use: use.is_per_channel(0),
        wrong={"tflm": None},
    ),
    Defect(
        what="float16",
        cure="keep weights in float32, or quantize to int8",
        operators=("DEQUANTIZE",),
        holds=_takes("float16"),
        refused={"tflm": None},
        lack=Lack(FLOAT16, "its DEQUANTIZE takes no float16"),
    ),
    Defect(
        what="int4",
        cure=_INT8_WEIGHTS,
        operators=("DEQUANTIZE",),
        holds=_takes("int4"),
        refused={"tflm": None},
    ),
    Defect(
        what="sparse weights",
        cure=_DENSE,
        operators=("FULLY_CONNECTED",),
        holds=lambda use: any(tensor.is_sparse for tensor in use.inputs if tensor),
        wrong={"tflm": None},
    ),
    Defect(
        what="sparse int8 weights",
        cure=_DENSE,
        operators=("DENSIFY",),
        holds=_takes("int8"),
        refused={"litert": None},  # its reference kernels run it
    ),
    # TFLM refuses them since its pull request 2602, and computes them since 2673.
    Defect(
        what=f"int8 {_EACH_OUTPUT}",
        cure=_PER_TENSOR,
        operators=("FULLY_CONNECTED",),
        holds=_by_channel("int8", weights="int8"),
        wrong={"tflm": "0.dev20240529040542", "tflite-runtime": "2.10.0"},
        refused={"tflm": "0.dev20241025232721"},
    ),
    Defect(
        what=f"int8 {_EACH_OUTPUT} {_NO_MATRIX}",
        cure=_PER_TENSOR,
        operators=("FULLY_CONNECTED",),
        holds=_by_channel("int8", weights="int8", matrix=False),
        wrong=_REFERENCE,
        refused={"tflm": "0.dev20250116215618"},
    ),
    Defect(
        what=f"int16 activations, {_EACH_OUTPUT}",
        cure=_PER_TENSOR,
        operators=("FULLY_CONNECTED",),
        holds=_by_channel("int16", weights="int8"),
        wrong={"tflm": "0.dev20240529040542", "tflite-runtime": "2.10.0"},
        refused={"tflm": "0.dev20250320222729"},
    ),
    Defect(
        what=f"int16 activations, {_EACH_OUTPUT} {_NO_MATRIX}",
        cure=_PER_TENSOR,
        operators=("FULLY_CONNECTED",),
        holds=_by_channel("int16", weights="int8", matrix=False),
        wrong={"litert": "1.1.0", "tflite-runtime": None} | _REFERENCE,
        lack=Lack(
            f"{INT16} {PER_CHANNEL}",
            "it computes them wrongly, without a word, if they give more than two dimensions; leave"
            " --dense per-channel out",
        ),
    ),
    Defect(
        what="int16 activations",
        cure=_INT8,
        operators=("FULLY_CONNECTED",),
        holds=_takes("int16"),
        wrong={"tflite-runtime": "2.9.1"},
    ),
    Defect(
        what=_ZERO_POINT,
        cure=_INT16_BY_EDGEPACK,
        operators=_CONVOLUTIONS,
        holds=_is_asymmetric,
        wrong={"tflm": None},
        refused=_PHONES,
    ),
    Defect(
        what=_ZERO_POINT,
        cure=_INT16_BY_EDGEPACK,
        operators=("ADD", "DEQUANTIZE", "FULLY_CONNECTED", "MEAN"),
        holds=_is_asymmetric,
        refused=_PHONES,
    ),
    Defect(
        what=_ZERO_POINT,
        cure=_INT16_BY_EDGEPACK,
        operators=("LOGISTIC", "MUL"),
        holds=_is_asymmetric,
        refused=_PHONES | {"tflm": None},
    ),
    Defect(
        what=_INT32_BIAS,
        cure=_INT16_BY_EDGEPACK,
        operators=("DEPTHWISE_CONV_2D",),
        holds=_is_biased_in_int32,
        wrong={"tflm": None},
        refused=_PHONES,
    ),
    Defect(
        what=_INT32_BIAS,
        cure=_INT16_BY_EDGEPACK,
        operators=("FULLY_CONNECTED",),
        holds=_is_biased_in_int32,
        refused={"tflm": "0.dev20250320222729"},
    ),
    Defect(
        what=f"{_INT32_BIAS} that its option quantized_bias_type does not tell",
        cure=_INT16_BY_EDGEPACK,
        operators=("CONV_2D",),
        holds=lambda use: (
            _is_biased_in_int32(use) and use.operator.options.get("quantized_bias_type") != _INT32
        ),
        wrong={"litert": None},
        refused={"tflite-runtime": "2.9.1"},
    ),
    Defect(
        what=f"int4 {_EACH_OUTPUT}",
        cure=f"{_PER_TENSOR}, or {_INT8_WEIGHTS}",
        operators=("FULLY_CONNECTED",),
        holds=_by_channel("int8", weights="int4"),
        wrong={"tflm": "0.dev20240529040542"},
        refused={"litert": "1.1.0", "tflite-runtime": None, "tflm": None},
        lack=Lack(
            f"{INT4} {PER_CHANNEL}",
            "its FULLY_CONNECTED takes int4 weights of one scale only; leave --dense per-channel"
            " out",
        ),
    ),
    Defect(
        what="float activations and int4 weights",
        cure=_INT8_WEIGHTS,
        operators=("CONV_2D",),
        holds=_has("float32", "int4"),
        wrong={"litert": "1.1.0", "tflite-runtime": None} | _REFERENCE,
    ),
    Defect(
        what="float activations and int4 weights",
        cure=_INT8_WEIGHTS,
        operators=("FULLY_CONNECTED",),
        holds=_has("float32", "int4"),
        wrong={"tflite-runtime": "2.14.0"},
        refused={"litert": "1.3.0"},
    ),
    Defect(
        what="float activations and int4 weights",
        cure=_INT8_WEIGHTS,
        operators=("DEPTHWISE_CONV_2D",),
        holds=_has("float32", "int4"),
        refused=_PHONES,
    ),
    Defect(
        what="int16 activations and int4 weights",
        cure=_INT8_WEIGHTS,
        operators=("CONV_2D",),
        holds=_has("int16", "int4"),
        wrong={"litert": "1.1.0", "tflite-runtime": None} | _REFERENCE,
        refused={"tflm": None},
    ),
    Defect(
        what="int16 activations and int4 weights",
        cure=_INT8_WEIGHTS,
        operators=("DEPTHWISE_CONV_2D",),
        holds=_has("int16", "int4"),
        wrong=_PHONES | _REFERENCE,
        refused={"tflm": None},
    ),
    Defect(
        what="int16 activations and int4 weights",
        cure=_INT8_WEIGHTS,
        operators=("FULLY_CONNECTED",),
        holds=_has("int16", "int4"),
        wrong=_REFERENCE,
        refused={"tflm": None},
    ),
    Defect(
        what="weights of a scale for each block",
        cure="give weights a scale for each channel",
        holds=lambda use: any(tensor.is_blockwise for tensor in use.inputs if tensor),
        wrong={"litert": "2.1.0", "tflite-runtime": None} | _REFERENCE,
        refused={"tflm": None},
    ),
    Defect(
        what="int2 weights",
        cure=_INT8_WEIGHTS,
        operators=("CONV_2D",),
        holds=_takes("int2"),
        wrong={"litert": None},
    ),
    Defect(
        what="int2",
        cure=_INT8_WEIGHTS,
        holds=_takes("int2"),
        refused={"litert": "2.1.2", "tflite-runtime": None, "tflm": None},
    ),
    Defect(
        what="an input in int8 and an output in int16",
        cure="keep the whole model in one of them",
        operators=("QUANTIZE",),
        holds=lambda use: (use.dtype(), use.gives) == ("int8", "int16"),
        refused={"litert": "2.1.4", "tflite-runtime": None} | _REFERENCE,
        lack=Lack(MIXED, "its QUANTIZE makes no int16 of int8"),
    ),
    # As TensorFlow's converter of 2020 wrote them.
    Defect(
        what="a bias that is quantized along an axis which it has not",
        cure="convert the model with a newer TensorFlow",
        holds=_has_lost_its_axis,
        refused=_PHONES,
    ),
    # TFLM has kernels for these which nothing else has.
    Defect(
        what="int8",
        cure="compute it in float, between DEQUANTIZE and QUANTIZE",
        operators=("ADD_N", "CUMSUM", "ZEROS_LIKE"),
        holds=_takes("int8"),
        refused=_PHONES,
    ),
    Defect(
        what="int16",
        cure=_INT8,
        operators=("SQUARED_DIFFERENCE",),
        holds=_takes("int16"),
        refused=_PHONES,
    ),
)
"""Measured on LiteRT 1.0 to 2.3, tflite-runtime 2.7 to 2.14 and TFLM of 2023-10 to 2026-10."""


def defects_of(use: OperatorCall) -> Iterator[Defect]:
    """Find what any interpreter, in any release, refuses of an operator, or computes wrongly."""
    return (defect for defect in DEFECTS if defect.is_in(use))
