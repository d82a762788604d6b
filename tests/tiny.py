"""Write .tflite files with a few operators, without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgepack.tflite.nibbles import pack
from edgepack.tflite.rewrite import Rewrite, quantization


@dataclass(frozen=True)
class Value:
    """A tensor: shape, dtype, one scale or one along an axis, and values if it is a constant."""

    shape: Sequence[int]
    dtype: str = "float32"
    scale: float | Sequence[float] | None = None
    zero_point: int = 0
    axis: int = 0
    values: Any = None
    signature: Sequence[int] | None = None
    is_sparse: bool = False
    is_blockwise: bool = False
    is_variable: bool = False


_STRIDES = {"strideW": 1, "strideH": 1}
_DEFAULT_OPTIONS: dict[str, tuple[str, dict[str, int]]] = {
    "CONV_2D": ("Conv2DOptions", _STRIDES),
    "CONV_3D": ("Conv3DOptions", _STRIDES | {"strideD": 1}),
    "CONV_3D_TRANSPOSE": ("Conv3DOptions", _STRIDES | {"strideD": 1}),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _STRIDES),
    "SOFTMAX": ("SoftmaxOptions", {"beta": 1}),
    "SVDF": ("SVDFOptions", {"rank": 1}),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _STRIDES),
    **dict.fromkeys(
        ("AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"),
        ("Pool2DOptions", _STRIDES | {"filterWidth": 1, "filterHeight": 1}),
    ),
}
"""The minimum options of operators that require some."""


class Tiny:
    """A file to which tensors and operators are added."""

    def __init__(self) -> None:
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version = 3
        model.operatorCodes, model.subgraphs, model.buffers = [], [graph], [schema.BufferT()]
        graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [], [], []
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        self._rewrite = Rewrite(bytes(builder.Output()))

    def tensor(self, name: str, value: Value) -> int:
        """Add a tensor and return its index."""
        scales = None if value.scale is None else np.atleast_1d(value.scale)
        values = value.values
        if values is not None:
            kind = "int8" if value.dtype == "int4" else value.dtype
            values = np.asarray(values).astype(kind).reshape(value.shape)
            values = pack(values) if value.dtype == "int4" else values
        index = self._rewrite.add_tensor(
            name,
            value.shape,
            value.dtype,
            quantization=None
            if scales is None
            else quantization(scales, [value.zero_point] * len(scales), value.axis),
            values=values,
        )
        tensor = self._rewrite.graph.tensors[index]
        if value.signature is not None:
            tensor.shapeSignature = list(value.signature)
        tensor.isVariable = value.is_variable
        if value.is_sparse:
            tensor.sparsity = schema.SparsityParametersT()
        if value.is_blockwise:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
            tensor.quantization.details = schema.BlockwiseQuantizationT()
        return index

    def operator(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int = 1,
        table: str | None = None,
        **options: Any,
    ) -> None:
        """Add an operator, a custom one if its name is not that of a builtin operator.

        ``options`` are the fields of a ``table`` of the schema, named as in its Python object.
        Without a table the operator gets the minimum options that it needs; with NONE it has none.
        """
        if table is None and name in _DEFAULT_OPTIONS:
            table, options = _DEFAULT_OPTIONS[name]
        builtin = hasattr(schema.BuiltinOperator, name)
        operator = self._rewrite.operator(name if builtin else "CUSTOM", version, inputs, outputs)
        if not builtin:
            self._rewrite.model.operatorCodes[operator.opcodeIndex].customCode = name
        if table and table != "NONE":
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, f"{table}T")()
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        self._rewrite.graph.operators.append(operator)

    def next_graph(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """End this graph and begin another one."""
        self._end_graph(inputs, outputs)
        graph = self._rewrite.graph = schema.SubGraphT()
        graph.tensors, graph.operators = [], []
        self._rewrite.model.subgraphs.append(graph)

    def to_bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Write the file."""
        self._end_graph(inputs, outputs)
        return self._rewrite.to_bytes()

    def _end_graph(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self._rewrite.graph.inputs, self._rewrite.graph.outputs = list(inputs), list(outputs)


def one_operator(
    name: str,
    inputs: Sequence[Value | None],
    outputs: Sequence[Value],
    **options: Any,
) -> bytes:
    """Write a file with one operator; its inputs without values are those of the model."""
    tiny = Tiny()
    input_indices = [
        -1 if value is None else tiny.tensor(f"in{place}", value)
        for place, value in enumerate(inputs)
    ]
    output_indices = [tiny.tensor("model/layer/Op", value) for value in outputs]
    tiny.operator(name, input_indices, output_indices, **options)
    model_inputs = [
        index
        for index, value in zip(input_indices, inputs, strict=True)
        if value is not None and value.values is None
    ]
    return tiny.to_bytes(model_inputs, output_indices)


def lstm_with_float() -> bytes:
    """Write one step of a quantized LSTM with one of its gates in float."""
    tiny = Tiny()
    state, gates = Value((1, 4), "int8", 0.1), Value((1, 8), "int8", 0.1)
    x = tiny.tensor("serving_default_x", state)
    weights = tiny.tensor("kernel", Value((8, 4), "int8", [0.1] * 8, values=[1] * 32))
    product = tiny.tensor("model/lstm/lstm_cell/MatMul", gates)
    as_float = tiny.tensor("model/lstm/lstm_cell/MatMul1", Value((1, 8)))
    axis = tiny.tensor("axis", Value((), "int32", values=[1]))
    halves = [tiny.tensor(f"model/lstm/lstm_cell/split{i}", Value((1, 4))) for i in "ab"]
    gate = tiny.tensor("model/lstm/lstm_cell/Sigmoid", Value((1, 4)))
    y = tiny.tensor("model/lstm/lstm_cell/mul", state)
    tiny.operator("FULLY_CONNECTED", [x, weights, -1], [product], version=4)
    tiny.operator("DEQUANTIZE", [product], [as_float], version=2)
    tiny.operator("SPLIT", [axis, as_float], halves, table="SplitOptions", numSplits=2)
    tiny.operator("LOGISTIC", halves[:1], [gate])
    tiny.operator("QUANTIZE", [gate], [y])
    return tiny.to_bytes([x], [y])
