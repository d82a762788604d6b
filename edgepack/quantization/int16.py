"""INT16 activations with INT8 weights, for all or some operators of an INT8 file.

The scheme is TensorFlow Lite's 16x8: zero points are 0, weights are unchanged, a bias is int64 with
the scale ``input scale * weight scale``. TensorFlow's converter creates such files only with ranges
that it calibrates itself; its quantizer for provided ranges writes zero points of -1 and biases in
int32, which TFLM silently computes wrongly and the other interpreters reject.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from edgepack.core.errors import ConversionError
from edgepack.core.wording import counted
from edgepack.quantization.masked_steps import comparisons, scope, zero_masks
from edgepack.quantization.real_constants import BIAS, WEIGHTS, RealValues, is_integer
from edgepack.tflite.converter_names import split_fused_name
from edgepack.tflite.parser import read_tflite
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
"""The operators with int16 kernels, and the first version that has them.

From tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""

_LARGEST = 32767
_FIXED = {(1 / 256, -128): 2.0**-15, (1 / 128, 0): 2.0**-15}
"""Scale and zero point in int8 of SOFTMAX, LOGISTIC and TANH, with their fixed int16 scale."""


def to_int16(
    int8_tflite: bytes,
    float_tflite: bytes,
    is_selected: Callable[[str], bool],
    *,
    inputs: bool = True,
    outputs: bool = True,
) -> bytes:
    """Convert operators of a full-integer INT8 file to int16 activations.

    ``is_selected`` is called with the name of an operator's first output. Between int8 tensors and
    int16 operators, and vice versa, a QUANTIZE is inserted, one for each tensor. With ``inputs``
    and ``outputs``, those of the graph become int16 too, if the operators at them are. Biases are
    quantized again from ``float_tflite``.

    Raises :class:`ConversionError` for an operator that has no int16 kernel.
    """
    rewrite = Rewrite(int8_tflite)
    selected = _select(rewrite, is_selected)
    if not selected:
        return int8_tflite
    _require_kernels(rewrite, selected, float_tflite)
    widening = _Widening(rewrite, RealValues(float_tflite), selected)
    widening.apply(inputs=inputs)
    if not outputs:
        widening.narrow_outputs()
    rewrite.drop_unused()
    return rewrite.to_bytes()


def scale_in_int16(scale: float, zero_point: int) -> float:
    """Return the symmetric int16 scale that covers the range of an int8 tensor.

    A zero point inside the range was rounded when the int8 file was written, which shifted the
    range by at most half a step; so much is added.
    """
    if (fixed := _FIXED.get((scale, zero_point))) is not None:
        return fixed
    if zero_point in (-128, 127):
        return scale * 255 / _LARGEST
    return scale * (max(127 - zero_point, zero_point + 128) + 0.5) / _LARGEST


def _select(rewrite: Rewrite, is_selected: Callable[[str], bool]) -> set[int]:
    """Return the indices of the operators to convert to int16.

    QUANTIZE and DEQUANTIZE operators follow their neighbors on the integer side.
    """
    graph = rewrite.graph
    names = [rewrite.name(operator) for operator in graph.operators]
    selected = {
        position
        for position, operator in enumerate(graph.operators)
        if names[position] not in ("QUANTIZE", "DEQUANTIZE")
        and any(is_integer(rewrite, index) for index in (*operator.inputs, *operator.outputs))
        and is_selected(graph.tensors[operator.outputs[0]].name.decode())
    }
    for position in reversed(range(len(names))):
        if names[position] == "QUANTIZE":
            (output,) = graph.operators[position].outputs
            consumers = {i for i, op in enumerate(graph.operators) if output in op.inputs}
            if consumers and consumers <= selected:
                selected.add(position)
    for position, name in enumerate(names):
        if name == "DEQUANTIZE":
            (source,) = graph.operators[position].inputs
            producers = {i for i, op in enumerate(graph.operators) if source in op.outputs}
            if producers and producers <= selected:
                selected.add(position)
    return selected


def _require_kernels(rewrite: Rewrite, selected: Collection[int], float_tflite: bytes) -> None:
    """Raise :class:`ConversionError`, naming all operators that have no int16 kernel."""
    lacking = [
        rewrite.graph.operators[position]
        for position in sorted(selected)
        if not _has_kernel(rewrite, rewrite.graph.operators[position])
    ]
    if not lacking:
        return
    kinds = dict.fromkeys(rewrite.name(operator) for operator in lacking)
    names = [rewrite.graph.tensors[each.outputs[0]].name.decode() for each in lacking]
    layers = dict.fromkeys(scope(name) or split_fused_name(name)[0] for name in names)
    raise ConversionError(
        f"{', '.join(layers)}: {' and '.join(kinds)} {'has' if len(kinds) == 1 else 'have'} no"
        f" int16 kernel ({counted(len(lacking), 'operator')}){_cure(names, float_tflite)}"
    )


def _cure(names: Sequence[str], float_tflite: bytes) -> str:
    """Return which other schemes the operators of these outputs have, as the end of a message."""
    graph = read_tflite(float_tflite).main
    masks = zero_masks(graph)
    if comparisons(graph) and not masks:
        return (
            ", nor int8, as float values are compared to find masked steps: choose the scheme"
            " float16, or build the model without masks"
        )
    in_float = dict.fromkeys(masks.values(), "float")
    in_int8 = {_pattern(name): "int8" for name in names if scope(name) not in in_float}
    unrun = ", which tflite-runtime does not run," if in_int8 else ""
    masked = f" with {_options(in_float)}" if in_float else ""
    return (
        f"; keep {'it' if len(names) == 1 else 'them'} in other schemes with"
        f" {_options(in_float | in_int8)}{unrun} or choose the scheme int8{masked}"
        f"{'; microcontrollers run no layer in float' if masks else ''}"
    )


def _options(schemes: Mapping[str, str]) -> str:
    return " ".join(f"--layer '{pattern}={scheme}'" for pattern, scheme in schemes.items())


def _pattern(name: str) -> str:
    """Return a pattern for the operators of this kind of a layer.

    >>> _pattern("model/lstm/SelectV2_12"), _pattern("SelectV2")
    ('lstm/SelectV2*', 'SelectV2')
    """
    path = split_fused_name(name)[0]
    if not scope(name):
        return path
    return f"{scope(name)}/{re.sub(r'(_[0-9]+)?$', '', path.rpartition('/')[2], count=1)}*"


def _has_kernel(rewrite: Rewrite, operator: Any) -> bool:
    kind = rewrite.name(operator)
    has_constant_weights = kind not in BIAS or rewrite.values(operator.inputs[WEIGHTS]) is not None
    return kind in VERSIONS and has_constant_weights


def _is_weight(name: str, position: int) -> bool:
    return name in BIAS and position == WEIGHTS


class _Widening:
    """Conversion of the operators at some indices of a graph to int16 activations."""

    def __init__(self, rewrite: Rewrite, real: RealValues, selected: Collection[int]) -> None:
        self._rewrite = rewrite
        self._real = real
        self._selected = selected
        self._converted: dict[int, int] = {}
        self._int8_params: dict[int, Any] = {}  # former quantization of tensors now in int16

    def apply(self, *, inputs: bool) -> None:
        """Convert the graph, operator by operator; also its inputs, if ``inputs``."""
        graph = self._rewrite.graph
        operators, graph.operators = graph.operators, []
        for index in graph.inputs if inputs else ():
            consumers = {position for position, op in enumerate(operators) if index in op.inputs}
            is_only_in_int16 = bool(consumers) and consumers <= set(self._selected)
            if is_integer(self._rewrite, index) and is_only_in_int16:
                self._set_int16(index)
        for position, operator in enumerate(operators):
            self._change(operator, to_int16=position in self._selected)
            graph.operators.append(operator)

    def narrow_outputs(self) -> None:
        """Convert the graph's outputs back to int8."""
        for index in list(self._rewrite.graph.outputs):
            if index in self._int8_params:
                self._rewrite.replace_output(index, self._convert(index, "int8"))

    def _change(self, operator: Any, *, to_int16: bool) -> None:
        name = self._rewrite.name(operator)
        inputs = list(operator.inputs)
        for position, index in enumerate(inputs):
            if not to_int16 and index in self._int8_params:
                inputs[position] = self._convert(index, "int8")
            elif to_int16 and is_integer(self._rewrite, index) and not _is_weight(name, position):
                inputs[position] = self._convert(index, "int16")
        if to_int16:
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
            operator.builtinOptions.potScaleInt16 = False  # the default requires scales of 2^n

    def _set_int16(self, index: int) -> None:
        tensor = self._rewrite.graph.tensors[index]
        tensor.type = tensor_type("int16")
        self._int8_params[index] = tensor.quantization
        tensor.quantization = self._int16_params(tensor)

    def _int16_params(self, tensor: Any) -> Any:
        """Return the int16 quantization of an int8 tensor."""
        old = tensor.quantization
        return quantization([scale_in_int16(float(old.scale[0]), int(old.zeroPoint[0]))], [0])

    def _convert(self, index: int, dtype: str) -> int:
        """Return the index of a tensor in the other type: a constant, or output of a QUANTIZE."""
        if (existing := self._converted.get(index)) is not None:
            return existing
        rewrite, tensor = self._rewrite, self._rewrite.graph.tensors[index]
        add = {
            "name": f"{tensor.name.decode()}_{dtype}",
            "shape": tensor.shape,
            "dtype": dtype,
        }
        if rewrite.values(index) is not None:
            params = self._int16_params(tensor)
            values = np.rint(self._real.of(rewrite, index) / params.scale[0])
            values = np.clip(values, -_LARGEST, _LARGEST).astype(np.int16)
            converted = rewrite.add_tensor(**add, quantization=params, values=values)
        else:
            params = self._int16_params(tensor) if dtype == "int16" else self._int8_params[index]
            converted = rewrite.add_tensor(**add, quantization=params)
            version = VERSIONS["QUANTIZE"]
            operator = rewrite.operator("QUANTIZE", version, [index], [converted])
            rewrite.graph.operators.append(operator)
        self._converted[index] = converted
        return converted

    def _bias(self, inputs: Sequence[int], bias: int = -1) -> int:
        """Add a bias in int64, ``round(bias / (input scale * weight scale))``.

        Without a bias it is zeros: TFLM treats a missing bias like one in int32, which is rounded
        differently.
        """
        rewrite, tensors = self._rewrite, self._rewrite.graph.tensors
        weights = tensors[inputs[WEIGHTS]]
        (activation, *_) = (index for index in inputs if is_integer(rewrite, index, "int16"))
        scales = np.asarray(weights.quantization.scale, np.float64)
        scales = scales * tensors[activation].quantization.scale[0]
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
