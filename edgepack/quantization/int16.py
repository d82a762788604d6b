"""INT16 activations with INT8 weights, for all operators of an INT8 file or for some.

The scheme is TensorFlow Lite's 16x8: zero points are 0, weights stay as they are, a bias is int64
at ``input scale * weight scale``. TensorFlow's converter makes such a file from ranges of its own
only; its quantizer of given ranges writes zero points of -1 and biases in int32, which TFLM then
computes wrongly without a word and the others refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from edgepack.core.errors import ConversionError
from edgepack.quantization.real_constants import BIAS, WEIGHTS, RealValues, is_integer
from edgepack.tflite.converter_names import fused
from edgepack.tflite.rewrite import Rewrite, quantization, tensor_type

VERSIONS = {
    "ADD": 3,
    "AVERAGE_POOL_2D": 3,
    "BATCH_MATMUL": 3,
    "BATCH_TO_SPACE_ND": 4,
    "CONCATENATION": 3,
    "CONV_2D": 4,
    "DEPTHWISE_CONV_2D": 5,
    "DEQUANTIZE": 3,
    "EXPAND_DIMS": 1,
    "FULLY_CONNECTED": 7,
    "GATHER": 4,
    "LEAKY_RELU": 2,
    "LOGISTIC": 3,
    "MAXIMUM": 4,
    "MAX_POOL_2D": 3,
    "MEAN": 3,
    "MINIMUM": 4,
    "MIRROR_PAD": 3,
    "MUL": 4,
    "PACK": 3,
    "PAD": 3,
    "PADV2": 3,
    "QUANTIZE": 2,
    "REDUCE_MAX": 3,
    "RELU": 3,
    "RELU6": 3,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 4,
    "RESIZE_NEAREST_NEIGHBOR": 4,
    "SLICE": 4,
    "SOFTMAX": 3,
    "SPACE_TO_BATCH_ND": 4,
    "SPLIT": 4,
    "SPLIT_V": 2,
    "SQUEEZE": 1,
    "STRIDED_SLICE": 2,
    "SUB": 5,
    "TANH": 3,
    "TRANSPOSE": 5,
    "TRANSPOSE_CONV": 3,
    "UNPACK": 4,
}
"""The operators with kernels in int16, and the version that has them.

From tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""

_LEVELS = 32767
_FIXED = {(1 / 256, -128): 2.0**-15, (1 / 128, 0): 2.0**-15}
"""Outputs of SOFTMAX, LOGISTIC and TANH, whose quantization is fixed, in int8 and in int16."""


def to_int16(
    int8_tflite: bytes,
    float_tflite: bytes,
    wide: Callable[[str], bool],
    *,
    inputs: bool = True,
    outputs: bool = True,
) -> bytes:
    """Let operators of a full-integer INT8 file compute with int16 activations.

    ``wide`` tells by the name of an operator's first output. Where an int8 tensor meets an int16
    operator, or the reverse, a QUANTIZE comes between, one for a tensor. The graph's ``inputs``
    and ``outputs`` become int16 too, if they may and if what takes or makes them is. Biases are
    made anew from ``float_tflite``.

    Raises :class:`ConversionError` for an operator that has no kernel in int16.
    """
    rewrite = Rewrite(int8_tflite)
    chosen = _choose(rewrite, wide)
    if not chosen:
        return int8_tflite
    widening = _Widening(rewrite, RealValues(float_tflite), chosen)
    widening.apply(inputs=inputs)
    if not outputs:
        widening.narrow_outputs()
    rewrite.drop_unused()
    return rewrite.to_bytes()


def scale_in_int16(scale: float, zero_point: int) -> float:
    """Find the scale that covers in int16, around 0, what an int8 tensor covers.

    A zero point inside the range was rounded when the int8 file was made, which moved the range by
    half a step at most: so much is added.
    """
    if (fixed := _FIXED.get((scale, zero_point))) is not None:
        return fixed
    if zero_point in (-128, 127):
        return scale * 255 / _LEVELS
    return scale * (max(127 - zero_point, zero_point + 128) + 0.5) / _LEVELS


def _choose(rewrite: Rewrite, wide: Callable[[str], bool]) -> set[int]:
    """Find the places of the operators that will compute in int16.

    What only converts goes with its neighbour on the integers' side.
    """
    graph = rewrite.graph
    names = [rewrite.name(operator) for operator in graph.operators]
    chosen = {
        place
        for place, operator in enumerate(graph.operators)
        if names[place] not in ("QUANTIZE", "DEQUANTIZE")
        and any(is_integer(rewrite, index) for index in (*operator.inputs, *operator.outputs))
        and wide(graph.tensors[operator.outputs[0]].name.decode())
    }
    for place in reversed(range(len(names))):
        if names[place] == "QUANTIZE":
            (made,) = graph.operators[place].outputs
            takers = {i for i, op in enumerate(graph.operators) if made in op.inputs}
            if takers and takers <= chosen:
                chosen.add(place)
    for place, name in enumerate(names):
        if name == "DEQUANTIZE":
            (taken,) = graph.operators[place].inputs
            makers = {i for i, op in enumerate(graph.operators) if taken in op.outputs}
            if makers and makers <= chosen:
                chosen.add(place)
    for place in sorted(chosen):
        _require_kernel(rewrite, graph.operators[place])
    return chosen


def _require_kernel(rewrite: Rewrite, operator: Any) -> None:
    kind = rewrite.name(operator)
    weights_known = kind not in BIAS or rewrite.values(operator.inputs[WEIGHTS]) is not None
    if kind in VERSIONS and weights_known:
        return
    name = fused(rewrite.graph.tensors[operator.outputs[0]].name.decode())[0]
    raise ConversionError(
        f"{name}: {kind} has no kernel in int16; keep it in int8 with --layer '{name}=int8'"
    )


def _is_weight(name: str, position: int) -> bool:
    return name in BIAS and position == WEIGHTS


class _Widening:
    def __init__(self, rewrite: Rewrite, real: RealValues, chosen: Collection[int]) -> None:
        self._rewrite = rewrite
        self._real = real
        self._chosen = chosen
        self._converted: dict[int, int] = {}
        self._in_int8: dict[int, Any] = {}  # how the tensors that became int16 were quantized

    def apply(self, *, inputs: bool) -> None:
        """Change the graph, operator by operator."""
        graph = self._rewrite.graph
        operators, graph.operators = graph.operators, []
        for index in graph.inputs if inputs else ():
            takers = {place for place, op in enumerate(operators) if index in op.inputs}
            if is_integer(self._rewrite, index) and takers and takers <= set(self._chosen):
                self._set_int16(index)
        for place, operator in enumerate(operators):
            self._change(operator, wide=place in self._chosen)
            graph.operators.append(operator)

    def narrow_outputs(self) -> None:
        """Let the graph give int8 again."""
        for index in list(self._rewrite.graph.outputs):
            if index in self._in_int8:
                self._rewrite.replace_output(index, self._convert(index, "int8"))

    def _change(self, operator: Any, *, wide: bool) -> None:
        name = self._rewrite.name(operator)
        inputs = list(operator.inputs)
        for position, index in enumerate(inputs):
            if not wide and index in self._in_int8:
                inputs[position] = self._convert(index, "int8")
            elif wide and is_integer(self._rewrite, index) and not _is_weight(name, position):
                inputs[position] = self._convert(index, "int16")
        if wide:
            for index in operator.outputs:
                if is_integer(self._rewrite, index):
                    self._set_int16(index)
            if name in BIAS:
                inputs[BIAS[name] :] = [self._bias(inputs, *inputs[BIAS[name] :])]
            self._upgrade(operator, name)
        operator.inputs = inputs

    def _upgrade(self, operator: Any, name: str) -> None:
        version = self._rewrite.model.operatorCodes[operator.opcodeIndex].version
        operator.opcodeIndex = self._rewrite.operator_code(name, max(version, VERSIONS[name]))
        if name in ("ADD", "SUB"):
            operator.builtinOptions.potScaleInt16 = False  # the default asks for scales of 2^n

    def _set_int16(self, index: int) -> None:
        tensor = self._rewrite.graph.tensors[index]
        tensor.type = tensor_type("int16")
        self._in_int8[index] = tensor.quantization
        tensor.quantization = self._wide(tensor)

    def _wide(self, tensor: Any) -> Any:
        old = tensor.quantization
        return quantization([scale_in_int16(float(old.scale[0]), int(old.zeroPoint[0]))], [0])

    def _convert(self, index: int, wanted: str) -> int:
        """Give a tensor in the other type: a constant, or what a QUANTIZE makes of it."""
        if (known := self._converted.get(index)) is not None:
            return known
        rewrite, tensor = self._rewrite, self._rewrite.graph.tensors[index]
        add = {
            "name": f"{tensor.name.decode()}_{wanted}",
            "shape": tensor.shape,
            "dtype": wanted,
        }
        if rewrite.values(index) is not None:
            wide = self._wide(tensor)
            values = np.rint(self._real.of(rewrite, index) / wide.scale[0])
            values = np.clip(values, -_LEVELS, _LEVELS).astype(np.int16)
            made = rewrite.add_tensor(**add, quantization=wide, values=values)
        else:
            params = self._wide(tensor) if wanted == "int16" else self._in_int8[index]
            made = rewrite.add_tensor(**add, quantization=params)
            version = VERSIONS["QUANTIZE"]
            rewrite.graph.operators.append(rewrite.operator("QUANTIZE", version, [index], [made]))
        self._converted[index] = made
        return made

    def _bias(self, inputs: Sequence[int], bias: int = -1) -> int:
        """Add a bias in int64, ``round(bias / (input scale * weight scale))``.

        Without one it is zeros: TFLM takes a bias that is left out for one in int32, and rounds
        otherwise then.
        """
        rewrite, tensors = self._rewrite, self._rewrite.graph.tensors
        weights = tensors[inputs[WEIGHTS]]
        (taken, *_) = (index for index in inputs if is_integer(rewrite, index, "int16"))
        scales = np.asarray(weights.quantization.scale, np.float64)
        scales = scales * tensors[taken].quantization.scale[0]
        name, values = (
            weights.name,
            np.zeros(weights.shape[weights.quantization.quantizedDimension]),
        )
        if bias >= 0:
            name, values = tensors[bias].name, self._real.of(rewrite, bias)
        values = np.rint(values / scales)
        return rewrite.add_tensor(
            f"{name.decode()}_int64",
            values.shape,
            "int64",
            quantization=quantization(scales, [0] * len(scales), axis=0),
            values=values.astype(np.int64),
        )
