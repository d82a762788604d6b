"""Change a .tflite file: its tensors, its operators, what it gives.

:mod:`edgepack.tflite.parser` reads files, into types of edgepack's own; this module writes
them, over the object form of the schema's accessors, whose attributes are those of TensorFlow
Lite's ``schema.fbs`` (``tensor.quantization.zeroPoint``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.tflite.damage import require_whole
from edgepack.tflite.parser import DAMAGE

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16
_OLD_CODES_END = 127  # of BuiltinOperator, which once was a byte


class Rewrite:
    """A .tflite file taken apart, to be changed and put together again.

    ``model`` is its ``ModelT`` and ``graph`` the ``SubGraphT`` that an interpreter invokes.
    Raises :class:`~edgepack.core.errors.ModelError` for a damaged file.
    """

    def __init__(self, data: bytes) -> None:
        require_whole(data)
        try:
            self.model = schema.ModelT.InitFromPackedBuf(data, 0)
            self.graph = self.model.subgraphs[0]
        except DAMAGE as error:
            raise ModelError(f"damaged .tflite file: {error}") from error

    def to_bytes(self) -> bytes:
        """Put the file together, each constant at a multiple of 16 bytes."""
        builder = _Builder(1024)
        builder.Finish(self.model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def give(self, tensors: Iterable[int]) -> None:
        """Make tensors the outputs, in this order.

        Interpreters compute in place: what lies in the middle of a graph may be overwritten before
        it is read, an output may not.
        """
        self.graph.outputs = list(tensors)
        self.model.signatureDefs = []  # they name the outputs that were

    def values(self, index: int) -> NDArray[Any] | None:
        """Read a constant in its dtype and shape; None for a tensor that is computed."""
        tensor = self.graph.tensors[index]
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data):
            return None
        return np.asarray(data, np.uint8).view(np.dtype(dtype(tensor))).reshape(tensor.shape)

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

    def replace_input(self, old: int, new: int) -> None:
        """Let the graph, and its signature, take another tensor in the place of one."""
        self._replace("inputs", old, new)

    def replace_output(self, old: int, new: int) -> None:
        """Let the graph, and its signature, give another tensor in the place of one."""
        self._replace("outputs", old, new)

    def _replace(self, ends: str, old: int, new: int) -> None:
        setattr(self.graph, ends, [new if i == old else i for i in getattr(self.graph, ends)])
        for signature in self.model.signatureDefs or ():
            for named in getattr(signature, ends):
                if signature.subgraphIndex == 0 and named.tensorIndex == old:
                    named.tensorIndex = new

    def drop_unused(self) -> None:
        """Take out the graph's tensors that nothing uses, and the constants of no tensor."""
        operators = self.graph.operators
        used = {*self.graph.inputs, *self.graph.outputs}
        used.update(*([*op.inputs, *op.outputs, *_list(op.intermediates)] for op in operators))
        kept = [index for index in range(len(self.graph.tensors)) if index in used]
        place = {-1: -1} | {old: new for new, old in enumerate(kept)}
        self.graph.tensors = [self.graph.tensors[index] for index in kept]
        for holder in (self.graph, *operators):
            holder.inputs = [place[index] for index in holder.inputs]
            holder.outputs = [place[index] for index in holder.outputs]
        for operator in operators:
            operator.intermediates = [place[index] for index in _list(operator.intermediates)]
        for signature in self.model.signatureDefs or ():
            for named in (*signature.inputs, *signature.outputs):
                if signature.subgraphIndex == 0:
                    named.tensorIndex = place[named.tensorIndex]
        named_by = {tensor.buffer for graph in self.model.subgraphs for tensor in graph.tensors}
        named_by |= {entry.buffer for entry in self.model.metadata or ()}
        for index, buffer in enumerate(self.model.buffers):
            if index not in named_by:
                buffer.data = None

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

    def name(self, operator: Any) -> str:
        """Name the built-in operator that an ``OperatorT`` is, such as ``CONV_2D``."""
        return _OPERATORS[self.builtin(self.model.operatorCodes[operator.opcodeIndex])]

    @staticmethod
    def builtin(code: Any) -> int:
        """Read the number of a built-in operator from its ``OperatorCodeT``."""
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def dtype(tensor: Any) -> str:
    """Name the type of a ``TensorT``, such as ``int8``."""
    return _TYPES[tensor.type]


def tensor_type(dtype: str) -> int:
    """Find the schema's number of a type, such as ``int8``."""
    return int(getattr(schema.TensorType, dtype.upper()))


def quantization(
    scale: Sequence[float] | NDArray[Any], zero_point: Sequence[int], axis: int | None = None
) -> Any:
    """Make the ``QuantizationParametersT`` of an affine quantization."""
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.asarray(scale, np.float32)
    parameters.zeroPoint = np.asarray(zero_point, np.int64)
    parameters.quantizedDimension = axis or 0
    return parameters


def _names(enumeration: Any) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


_OPERATORS = _names(schema.BuiltinOperator)
_TYPES = {number: name.lower() for number, name in _names(schema.TensorType).items()}


def _list(vector: Any) -> list[int]:
    """Read a vector that may be absent."""
    return [] if vector is None else list(vector)


class _Builder(flatbuffers.Builder):  # type: ignore[misc]  # it publishes no types
    def StartVector(self, elem_size: int, count: int, alignment: int) -> Any:  # noqa: N802 (its name)
        # As the schema's force_align asks for constants, which interpreters use where they lie.
        least = _ALIGNMENT if elem_size == 1 else alignment
        return super().StartVector(elem_size, count, max(least, alignment))
