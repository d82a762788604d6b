"""Change a .tflite file: its tensors, its operators, what it gives.

:mod:`edgepack.flatbuffer` reads files, into types of edgepack's own; this module writes them, over
the object form of the schema's accessors, whose attributes are those of TensorFlow Lite's
``schema.fbs`` (``tensor.quantization.zeroPoint``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16
_OLD_CODES_END = 127  # of BuiltinOperator, which once was a byte


class Rewrite:
    """A .tflite file taken apart, to be changed and put together again.

    ``model`` is its ``ModelT`` and ``graph`` the ``SubGraphT`` that an interpreter invokes.
    """

    def __init__(self, data: bytes) -> None:
        self.model = schema.ModelT.InitFromPackedBuf(data, 0)
        self.graph = self.model.subgraphs[0]

    def to_bytes(self) -> bytes:
        """Put the file together, each constant at a multiple of 16 bytes."""
        builder = _Builder(1024)
        builder.Finish(self.model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def add_tensor(
        self,
        name: str,
        shape: Iterable[int],
        dtype: str,
        *,
        quantization: Any = None,
        values: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor, a constant if it is given ``values``; returns its index.

        ``dtype`` is TFLite's type name in lower case, ``quantization`` a
        ``QuantizationParametersT``.
        """
        tensor = schema.TensorT()
        tensor.name = name.encode()
        tensor.shape = list(shape)
        tensor.type = tensor_type(dtype)
        tensor.hasRank = True
        tensor.quantization = quantization
        tensor.buffer = 0 if values is None else self.add_buffer(values)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add_buffer(self, values: NDArray[Any]) -> int:
        """Add the bytes of a constant; returns the index that its tensor names."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def operator(
        self, name: str, version: int, inputs: Sequence[int], outputs: Sequence[int]
    ) -> Any:
        """Make an operator without options, to be put into ``graph.operators``."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.operator_code(name, version)
        operator.inputs = list(inputs)
        operator.outputs = list(outputs)
        return operator

    def operator_code(self, name: str, version: int) -> int:
        """Find or add a built-in operator of a version; returns its index in the file."""
        number = getattr(schema.BuiltinOperator, name)
        codes = self.model.operatorCodes
        for index, code in enumerate(codes):
            if (self.builtin(code), code.version) == (number, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, _OLD_CODES_END)
        code.version = version
        codes.append(code)
        return len(codes) - 1

    @staticmethod
    def builtin(code: Any) -> int:
        """Read the number of a built-in operator from its ``OperatorCodeT``."""
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def tensor_type(dtype: str) -> int:
    """Find the schema's number of a type, such as ``int8``."""
    return int(getattr(schema.TensorType, dtype.upper()))


def quantization(scale: Sequence[float], zero_point: Sequence[int], axis: int | None = None) -> Any:
    """Make the ``QuantizationParametersT`` of an affine quantization."""
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.asarray(scale, np.float32)
    parameters.zeroPoint = np.asarray(zero_point, np.int64)
    parameters.quantizedDimension = axis or 0
    return parameters


class _Builder(flatbuffers.Builder):  # type: ignore[misc]  # it publishes no types
    def StartVector(self, elem_size: int, count: int, alignment: int) -> Any:  # noqa: N802 (its name)
        # As the schema's force_align asks for constants, which interpreters use where they lie.
        least = _ALIGNMENT if elem_size == 1 else alignment
        return super().StartVector(elem_size, count, max(least, alignment))
