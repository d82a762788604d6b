"""Parse a .tflite file, without TensorFlow.

The schema's accessors come from ai-edge-litert. The file is untrusted: any exception that they
raise becomes a :class:`~edgepack.core.errors.ModelError`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.core.file_contents import (
    EXCHANGED,
    HDF5_MAGIC,
    TFLITE_IDENTIFIER,
    TFLITE_IDENTIFIER_AT,
    ZIP_MAGIC,
    holds_arrays,
)
from edgepack.core.printable import printable
from edgepack.tflite.damage import require_undamaged
from edgepack.tflite.flatbuffer_tables import Damage, describe_damage
from edgepack.tflite.graph import Graph, Model, Operator, QuantParams, Tensor
from edgepack.tflite.operator_requirements import require_valid_operator

DAMAGE = (struct.error, IndexError, TypeError, ValueError, KeyError, AttributeError, Damage)
"""The exceptions that the schema's accessors raise for a damaged or invalid file."""

_MAGIC_OF_KERAS = (ZIP_MAGIC, HDF5_MAGIC)  # .keras and .h5


def read_tflite(data: bytes) -> Model:
    """Parse the bytes of a .tflite file.

    Raises :class:`ModelError` if they are not a .tflite file, or a damaged one.
    """
    if data[TFLITE_IDENTIFIER_AT] != TFLITE_IDENTIFIER:
        if holds_arrays(BytesIO(data)):
            raise ModelError(f"holds arrays: it is data, not a .tflite file; {EXCHANGED}")
        may_be_keras = data.startswith(_MAGIC_OF_KERAS)
        cure = "; if it is a Keras model, convert it with edgepack export" if may_be_keras else ""
        raise ModelError(f"not a .tflite file: the identifier TFL3 is missing{cure}")
    require_undamaged(data)
    try:
        root = schema.Model.GetRootAs(data, 0)
        codes = [root.OperatorCodes(i) for i in range(root.OperatorCodesLength())]
        names = [(_operator_name(code), code.Version(), bool(code.CustomCode())) for code in codes]
        buffers = [_bytes(root.Buffers(i).DataAsNumpy()) for i in range(root.BuffersLength())]
        subgraphs = tuple(
            _graph(root.Subgraphs(i), names, buffers) for i in range(root.SubgraphsLength())
        )
    except DAMAGE as error:
        raise ModelError(describe_damage(error)) from error
    return Model(subgraphs=subgraphs)


def buffer(data: bytearray, index: int) -> NDArray[np.uint8]:
    """Return a writable view of the bytes of a constant in a .tflite file."""
    content: NDArray[np.uint8] = schema.Model.GetRootAs(data, 0).Buffers(index).DataAsNumpy()
    return content


def _graph(subgraph: Any, names: list[tuple[str, int, bool]], buffers: list[bytes]) -> Graph:
    operators = []
    for i in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(i)
        name, version, is_custom = names[operator.OpcodeIndex()]
        if operator.LargeCustomOptionsOffset() or operator.LargeCustomOptionsSize():
            raise Damage(f"operator {i}, {name}, has options outside its table")
        kind = _enum("BuiltinOptions").get(operator.BuiltinOptionsType(), "NONE")
        parsed = Operator(
            name=name,
            version=version,
            inputs=_ints(operator.InputsAsNumpy()),
            outputs=_ints(operator.OutputsAsNumpy()),
            is_custom=is_custom,
            options=_options(operator.BuiltinOptions(), kind),
            custom_options=_bytes(operator.CustomOptionsAsNumpy()),
        )
        require_valid_operator(i, parsed, "NONE" if operator.BuiltinOptions() is None else kind)
        operators.append(parsed)
    return Graph(
        tensors=tuple(
            _tensor(subgraph.Tensors(i), buffers) for i in range(subgraph.TensorsLength())
        ),
        operators=tuple(operators),
        inputs=_ints(subgraph.InputsAsNumpy()),
        outputs=_ints(subgraph.OutputsAsNumpy()),
    )


def _tensor(tensor: Any, buffers: list[bytes]) -> Tensor:
    return Tensor(
        name=_name(tensor.Name() or b""),
        shape=_ints(tensor.ShapeAsNumpy()),
        dtype=_enum("TensorType")[tensor.Type()].lower(),
        quant=_quant(tensor.Quantization()),
        data=buffers[tensor.Buffer()],
        buffer=tensor.Buffer(),
        signature=_ints(tensor.ShapeSignatureAsNumpy()),
        is_sparse=tensor.Sparsity() is not None,
        is_blockwise=_is_blockwise(tensor.Quantization()),
        is_variable=bool(tensor.IsVariable()),
    )


def _is_blockwise(quantization: Any) -> bool:
    details = schema.QuantizationDetails.BlockwiseQuantization
    return quantization is not None and quantization.DetailsType() == details


def _options(content: Any, kind: str) -> dict[str, float]:
    """Return the numbers in builtin options, a table of the schema, that are not 0."""
    if content is None or kind == "NONE":
        return {}
    options = getattr(schema, kind)()
    options.Init(content.Bytes, content.Pos)
    return {name: value for name, read in _numbers(kind) if (value := read(options))}


@cache
def _numbers(kind: str) -> list[tuple[str, Callable[[Any], float]]]:
    """Return the numeric fields of a table: name and accessor. Other accessors take arguments."""
    defaults = vars(getattr(schema, f"{kind}T")())
    return [
        (re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), getattr(getattr(schema, kind), accessor))
        for name, value in defaults.items()
        if isinstance(value, bool | int | float)
        and hasattr(getattr(schema, kind), accessor := name[0].upper() + name[1:])
    ]


def _quant(quantization: Any) -> QuantParams | None:
    if quantization is None or not quantization.ScaleLength():
        return None
    scale = tuple(float(value) for value in quantization.ScaleAsNumpy())
    return QuantParams(
        scale=scale,
        zero_point=_ints(quantization.ZeroPointAsNumpy()),
        axis=quantization.QuantizedDimension() if len(scale) > 1 else None,
    )


def _operator_name(code: Any) -> str:
    """Return an operator's name; codes above 127 have their own field, the old one is capped."""
    if custom := code.CustomCode():
        return _name(custom)
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number not in _enum("BuiltinOperator"):
        raise ValueError(f"it contains operator {number}, which does not exist")
    return _enum("BuiltinOperator")[number]


@cache
def _enum(name: str) -> dict[int, str]:
    return {
        value: key for key, value in vars(getattr(schema, name)).items() if isinstance(value, int)
    }


def _name(text: bytes) -> str:
    """Return a name as printable text, which may be part of a one-line message on a terminal."""
    return printable(text.decode("utf-8", "replace"))


def _bytes(array: Any) -> bytes:
    """Convert the result of an AsNumpy accessor, which is 0 for an absent vector, to bytes."""
    return array.tobytes() if isinstance(array, np.ndarray) else b""


def _ints(array: Any) -> tuple[int, ...]:
    """Convert the result of an AsNumpy accessor, which is 0 for an absent vector, to integers."""
    return tuple(int(value) for value in array) if isinstance(array, np.ndarray) else ()
